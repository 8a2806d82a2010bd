"""Who leaves early: endings, a figure, and the journeys of somebody that are under way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0016_lanes"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="journey",
            name="journey_wakes",
        ),
        migrations.AlterField(
            model_name="journey",
            name="ending",
            field=models.CharField(
                blank=True,
                choices=[
                    ("completed", "Went through every step"),
                    ("goal", "Reached the goal"),
                    ("exit_step", "Came to an exit step"),
                    ("stopped", "Stopped by hand"),
                    ("merged", "Two profiles turned out to be one person, who is not to get this twice"),
                    ("held_out", "In the control group: got nothing, and is measured"),
                    ("exit_event", "Left early: an event came that ends it"),
                    ("exit_condition", "Left early: something came true that ends it"),
                    ("unsubscribed", "Left early: has unsubscribed"),
                    ("unmatched", "Left early: no longer meets the conditions to enter"),
                ],
                db_default="",
                default="",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="stepcount",
            name="metric",
            field=models.CharField(
                choices=[
                    ("entered", "Entered"),
                    ("ended", "Ended"),
                    ("converted", "Converted"),
                    ("left", "Left early"),
                    ("visited", "Reached the step"),
                    ("sent", "Sent"),
                    ("delivered", "Delivered"),
                    ("opened", "Opened"),
                    ("clicked", "Clicked"),
                    ("bounced", "Bounced"),
                    ("complained", "Reported as spam"),
                    ("unsubscribed", "Unsubscribed"),
                    ("skipped", "Not sent"),
                    ("failed", "Failed"),
                    ("held_out", "People in the control group"),
                    ("held_out_goal", "Of them, those who reached the goal"),
                    ("treated", "People to compare them with"),
                    ("treated_goal", "Of these, those who reached the goal"),
                ],
                max_length=15,
            ),
        ),
        migrations.AlterField(
            model_name="stepcountchange",
            name="metric",
            field=models.CharField(
                choices=[
                    ("entered", "Entered"),
                    ("ended", "Ended"),
                    ("converted", "Converted"),
                    ("left", "Left early"),
                    ("visited", "Reached the step"),
                    ("sent", "Sent"),
                    ("delivered", "Delivered"),
                    ("opened", "Opened"),
                    ("clicked", "Clicked"),
                    ("bounced", "Bounced"),
                    ("complained", "Reported as spam"),
                    ("unsubscribed", "Unsubscribed"),
                    ("skipped", "Not sent"),
                    ("failed", "Failed"),
                    ("held_out", "People in the control group"),
                    ("held_out_goal", "Of them, those who reached the goal"),
                    ("treated", "People to compare them with"),
                    ("treated_goal", "Of these, those who reached the goal"),
                ],
                max_length=15,
            ),
        ),
        migrations.AddIndex(
            model_name="journey",
            index=models.Index(
                condition=models.Q(("state", "ended"), _negated=True), fields=["profile"], name="journey_under_way"
            ),
        ),
    ]
