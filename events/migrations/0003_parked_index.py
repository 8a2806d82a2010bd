from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_event_extra"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="pending",
            index=models.Index(
                condition=models.Q(("parked_at", None), _negated=True), fields=["event_id"], name="pending_parked"
            ),
        ),
    ]
