"""Tell a message that was only claimed from one whose provider may have been called."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0003_lookups")]

    operations = [
        migrations.AddField(
            model_name="message",
            name="called_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When the provider was about to be called: before that nothing can be out.",
                null=True,
            ),
        ),
    ]
