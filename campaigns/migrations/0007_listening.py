"""Find the campaigns that listen for an event by an index."""

from django.db import migrations, models

NAME = """
UPDATE campaigns_liveperiod p SET event = v.definition #>> '{trigger,event}'
FROM campaigns_campaignversion v WHERE v.id = p.version_id AND v.definition #>> '{trigger,event}' IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0006_waiting"),
    ]

    operations = [
        migrations.AddField("liveperiod", "event", models.TextField(db_default="", default="")),
        migrations.RunSQL(NAME, migrations.RunSQL.noop),
    ]
