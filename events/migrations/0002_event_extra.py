from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="extra",
            field=models.JSONField(db_default={}, default=dict),
        ),
    ]
