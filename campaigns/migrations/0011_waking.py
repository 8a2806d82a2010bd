"""What journeys wait for beside time, and turns at steps that limit how many go on."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0010_parked"),
    ]

    operations = [
        migrations.AddField(
            model_name="journey",
            name="wakes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                blank=True,
                help_text="Calls that may end the present wait.",
                null=True,
                size=None,
            ),
        ),
        migrations.AddIndex(
            model_name="journey",
            index=models.Index(
                condition=models.Q(("state", "waiting"), ("wakes__isnull", False)),
                fields=["profile"],
                name="journey_wakes",
            ),
        ),
        migrations.CreateModel(
            name="Turnstile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step_id", models.CharField(max_length=60)),
                ("spacing", models.DurationField()),
                ("next_at", models.DateTimeField()),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="campaigns.campaign"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "step_id", "spacing"), name="turnstile_once")
                ],
            },
        ),
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
                    ("failed", "Not done, because of a mistake in it"),
                    ("interrupted", "Left early: the journey ended here"),
                ],
                db_default="",
                default="",
                max_length=20,
            ),
        ),
    ]
