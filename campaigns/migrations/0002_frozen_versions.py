from django.db import migrations

# A published version never changes. The code has no way to; this holds for every other hand on the database as well.
FREEZE = """
CREATE FUNCTION campaigns_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published version never changes: publish a new one';
END $$;
CREATE TRIGGER campaigns_version_frozen BEFORE UPDATE ON campaigns_campaignversion FOR EACH ROW
    WHEN ((OLD.campaign_id, OLD.number, OLD.definition, OLD.reason, OLD.published_at)
        IS DISTINCT FROM (NEW.campaign_id, NEW.number, NEW.definition, NEW.reason, NEW.published_at))
    EXECUTE FUNCTION campaigns_refuse_change();
"""
THAW = """
DROP TRIGGER campaigns_version_frozen ON campaigns_campaignversion;
DROP FUNCTION campaigns_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
