"""Which calls the conditions of triggers look back at: what has to be asked again when one of them comes late."""

from typing import Any

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
from django.db import migrations, models

from campaigns.engine.definition import DefinitionError, parse
from campaigns.late import looks_back


def note_asks(apps: Any, schema_editor: Any) -> None:
    for period in apps.get_model("campaigns", "LivePeriod").objects.select_related("version"):
        try:
            period.asks = sorted(looks_back(parse(period.version.definition).trigger.where))
        except DefinitionError:
            continue
        period.save(update_fields=["asks"])


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0018_turns"),
    ]

    operations = [
        migrations.AddField(
            "liveperiod",
            "asks",
            django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, null=True, size=None),
        ),
        migrations.AddIndex(
            "liveperiod", django.contrib.postgres.indexes.GinIndex(fields=["asks"], name="live_period_asks")
        ),
        migrations.RunPython(note_asks, migrations.RunPython.noop),
    ]
