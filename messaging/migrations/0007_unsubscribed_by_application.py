from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0006_merged_reason"),
    ]

    operations = [
        migrations.AlterField(
            model_name="unsubscription",
            name="method",
            field=models.CharField(
                choices=[
                    ("one_click", "One-click button of the mail program"),
                    ("page", "Unsubscribe page"),
                    ("provider", "Reported by the provider"),
                    ("application", "Said by an application"),
                    ("manual", "By hand"),
                ],
                max_length=20,
            ),
        ),
    ]
