"""Tell the planner that reasons and places depend on the campaign.

It takes columns for independent: for a campaign that turned hardly anybody away it then walks down the primary key,
past everybody, to find fifty refusals that do not exist.
"""

from django.db import migrations

STATISTICS = {
    "decision_reasons": "(mcv) ON campaign_id, entry FROM campaigns_decision",
    "journey_places": "(mcv) ON campaign_id, state, step_id FROM campaigns_journey",
}


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0004_journey_statistics"),
    ]

    operations = [
        migrations.RunSQL(f"CREATE STATISTICS {name} {what}", f"DROP STATISTICS {name}")
        for name, what in STATISTICS.items()
    ]
