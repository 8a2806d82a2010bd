from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "People and events"

    def ready(self) -> None:
        from events import adapters, nudges, panels, signals, tasks, vocabulary
        from events.admin import device_panel, groups
        from events.admin import segments as segments_admin
        from events.audience import foreign, seeing
        from events.computed import definitions
        from events.computed import following as computed_following
        from events.conditions import words
        from events.segments import changes, following, kind

        adapters.connect()
        nudges.register("imports", tasks.run_imports)
        nudges.register("traces", tasks.search_traces)
        nudges.register("segments", tasks.build_segments)
        nudges.register("turns", tasks.turn_segments)
        nudges.register("computed", tasks.build_computed)
        nudges.register("computed-turns", tasks.turn_computed)
        foreign.register(kind.KIND, kind.ask)
        words.teach(kind.KIND.key, kind.say)
        seeing.teach(kind.KIND.key, kind.look)
        vocabulary.register("trait", definitions.names)
        vocabulary.own_events([changes.ENTERED, changes.LEFT])
        signals.profiles_merged.connect(following.follow_merge, dispatch_uid="events.segments.follow_merge")
        signals.profiles_erased.connect(following.follow_erasure, dispatch_uid="events.segments.follow_erasure")
        signals.profiles_merged.connect(computed_following.follow_merge, dispatch_uid="events.computed.follow_merge")
        signals.profiles_erased.connect(
            computed_following.follow_erasure, dispatch_uid="events.computed.follow_erasure"
        )
        signals.profiles_exported.connect(following.sections, dispatch_uid="events.segments.portrait")
        panels.register(panels.PROFILE, "Segments", segments_admin.segments_panel)
        panels.register(panels.PROFILE, "Belongs to", groups.groups_panel)
        panels.register(panels.PROFILE, "Devices", device_panel.devices_panel)
