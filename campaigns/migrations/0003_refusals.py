"""Find those who did not enter a campaign without reading past those who did."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0002_frozen_versions"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="decision",
            index=models.Index(
                condition=models.Q(("entry", "entered"), _negated=True),
                fields=["campaign", "-id"],
                name="decision_refused",
            ),
        ),
    ]
