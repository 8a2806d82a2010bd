"""The index from an event's name to live periods; apart, as an update and an index do not share a transaction."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0007_listening"),
    ]

    operations = [
        migrations.AddIndex("liveperiod", models.Index(fields=["event", "ended_at"], name="live_period_event")),
    ]
