from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "People and events"

    def ready(self) -> None:
        from events import nudges, tasks

        nudges.register("imports", tasks.run_imports)
