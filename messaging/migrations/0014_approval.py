"""Messages that go out when somebody has approved them."""

from django.db import migrations, models

import messaging.states


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0017_watched_traits"),
        ("messaging", "0013_relevance"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="approved_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="approved_by",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Who let it go, where it was a draft.", max_length=254
            ),
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
                    ("refused", "Refused by somebody who looked at the draft"),
                    ("not_approved", "Nobody approved the draft in time"),
                    ("sends_nothing", "Only tried out: its step is set to send nothing"),
                ],
                db_default="",
                default="",
                max_length=30,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="status",
            field=models.CharField(
                choices=[
                    ("draft", "Draft: waits for approval"),
                    ("queued", "Waiting to be sent"),
                    ("sending", "Being handed to the provider"),
                    ("sent", "Handed to the provider"),
                    ("delivered", "Delivered"),
                    ("opened", "Opened"),
                    ("clicked", "Clicked"),
                    ("bounced", "Bounced"),
                    ("rejected", "Rejected by the provider"),
                    ("complained", "Reported as spam"),
                    ("unsubscribed", "Unsubscribed"),
                    ("skipped", "Not sent"),
                    ("failed", "Failed"),
                    ("unknown", "Unknown: may have been sent"),
                ],
                db_default="queued",
                default=messaging.states.Status["QUEUED"],
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(condition=models.Q(("status", "draft")), fields=["created_at"], name="message_draft"),
        ),
    ]
