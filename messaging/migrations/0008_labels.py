from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0007_unsubscribed_by_application"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="labels",
            field=models.JSONField(
                db_default={},
                default=dict,
                help_text="What events about it carry: template, the sender's campaign and step.",
            ),
        ),
    ]
