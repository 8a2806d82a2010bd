"""Several journeys of one person at a time: at most one in a lane, such as an order."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0015_control_groups"),
    ]

    operations = [
        migrations.AddField(
            model_name="journey",
            name="lane",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddConstraint(
            model_name="journey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "ended"), _negated=True),
                fields=("campaign", "profile", "lane"),
                name="journey_one_a_lane",
            ),
        ),
        migrations.RemoveConstraint(
            model_name="journey",
            name="journey_one_at_a_time",
        ),
    ]
