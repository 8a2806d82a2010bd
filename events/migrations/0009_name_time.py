"""An index that answers who did something, and when, without a look at the log itself.

Made month by month and concurrently, so that events go on being stored meanwhile. When it is broken off, running the
migration again goes on where it stopped.
"""

from django.db import migrations, models

from events import partitions

INDEX = models.Index(
    fields=["name", "timestamp"],
    include=["profile", "received_at", "type"],
    condition=models.Q(id__gt=0),
    name="event_name_time",
)
COLUMNS = "(name, timestamp) INCLUDE (profile_id, received_at, type) WHERE id > 0"


def add_index(apps: object, schema_editor: object) -> None:
    partitions.add_index("event_name_time", COLUMNS)


def read_from_the_index(apps: object, schema_editor: object) -> None:
    partitions.vacuum_often()


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0008_segments")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(add_index, migrations.RunPython.noop),
                migrations.RunSQL(migrations.RunSQL.noop, "DROP INDEX event_name_time"),
            ],
            state_operations=[migrations.AddIndex(model_name="event", index=INDEX)],
        ),
        migrations.RunPython(read_from_the_index, migrations.RunPython.noop),
    ]
