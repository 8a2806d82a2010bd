"""How visits to the new kinds of steps end."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0008_listening_index"),
    ]

    operations = [
        migrations.AlterField(
            model_name="visit",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("done", "Passed"),
                    ("waited", "Waited until the time had come"),
                    ("skipped_by_hand", "Wait skipped by hand"),
                    ("path", "Took a path"),
                    ("sent", "Message handed to the outbox"),
                    ("answered", "Called, and got an answer"),
                    ("call_failed", "Called without success"),
                    ("went_back", "Went back to an earlier step"),
                    ("interrupted", "Left early: the journey ended here"),
                ],
                db_default="",
                default="",
                max_length=20,
            ),
        ),
    ]
