"""Find messages by address and the newest unsubscriptions by index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_initial"),
        ("messaging", "0002_frozen_versions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("address", ""), _negated=True), fields=["address", "-id"], name="message_address"
            ),
        ),
        migrations.AddIndex(
            model_name="unsubscription",
            index=models.Index(fields=["-created_at"], name="unsubscription_newest"),
        ),
    ]
