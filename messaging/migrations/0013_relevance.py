"""Until when a message is wanted, and the event that it answers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0012_quiet_hours"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="trigger_at",
            field=models.DateTimeField(blank=True, help_text="When that event happened.", null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="trigger_event_id",
            field=models.BigIntegerField(blank=True, help_text="The event that it answers.", null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="unless",
            field=models.JSONField(blank=True, help_text="What makes it unwanted: see messaging.relevance.", null=True),
        ),
        migrations.AlterField(
            model_name="message",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("no_address", "The profile has no email address"),
                    ("bad_address", "The profile's email address is not valid"),
                    ("unsubscribed", "The person has unsubscribed"),
                    ("topic_left", "The person has unsubscribed from the message's topic"),
                    (
                        "topic_not_joined",
                        "The message's topic is for subscribers only, and the person has not subscribed",
                    ),
                    ("suppressed", "The address is on the suppression list"),
                    ("template_error", "The template could not be rendered"),
                    ("no_provider", "No provider is set up: choose a default provider"),
                    (
                        "no_mailbox",
                        "A sandbox person gets mail in the built-in mailbox only: add a provider of that kind",
                    ),
                    ("provider_disabled", "The provider is switched off"),
                    ("provider_refused", "The provider refused the message"),
                    ("provider_unreachable", "The provider could not be reached, also after several tries"),
                    ("outcome_unknown", "Sending was cut off: it may or may not have gone out"),
                    ("merged", "Two profiles turned out to be one person, who gets the same message once"),
                    ("no_longer_wanted", "Cancelled just before sending"),
                    ("quiet_hours", "Waits for the end of the quiet hours"),
                ],
                db_default="",
                default="",
                max_length=30,
            ),
        ),
    ]
