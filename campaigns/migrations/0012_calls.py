"""Calls that steps make."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0011_waking"),
    ]

    operations = [
        migrations.CreateModel(
            name="Call",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("visit", models.PositiveIntegerField()),
                ("step_id", models.CharField(max_length=60)),
                ("method", models.CharField(max_length=10)),
                ("url", models.TextField(blank=True, default="")),
                ("headers", models.JSONField(default=dict)),
                ("body", models.TextField(blank=True, default="")),
                ("due_at", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("succeeded", models.BooleanField(blank=True, null=True)),
                ("detail", models.TextField(blank=True, default="")),
                ("answer", models.JSONField(blank=True, null=True)),
                (
                    "journey",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calls",
                        to="campaigns.journey",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("finished_at", None)), fields=["due_at"], name="call_due")
                ],
                "constraints": [models.UniqueConstraint(fields=("journey", "visit"), name="call_once")],
            },
        ),
    ]
