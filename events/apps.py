from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "People and events"

    def ready(self) -> None:
        from events import nudges, panels, tasks
        from events.admin import device_panel, groups

        nudges.register("imports", tasks.run_imports)
        nudges.register("traces", tasks.search_traces)
        panels.register(panels.PROFILE, "Belongs to", groups.groups_panel)
        panels.register(panels.PROFILE, "Devices", device_panel.devices_panel)
