from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = "Messages"

    def ready(self) -> None:
        from events import nudges, panels, signals
        from messaging import merging, tasks
        from messaging.admin import profile_panel

        nudges.register("messages", tasks.deliver)
        signals.profiles_merged.connect(merging.follow_merge, dispatch_uid="messaging.follow_merge")
        panels.register(panels.PROFILE, "Messages", profile_panel.messages_panel)
        panels.register(panels.BADGES, "Refusals", profile_panel.refusal_badges)
