from django.db import migrations

# What a live campaign sends cannot change under it: a template version is written once.
FREEZE = """
CREATE FUNCTION messaging_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a template version never changes: make a new one';
END $$;
CREATE TRIGGER messaging_version_frozen BEFORE UPDATE ON messaging_templateversion FOR EACH ROW
    WHEN ((OLD.template_id, OLD.number, OLD.content, OLD.purpose)
        IS DISTINCT FROM (NEW.template_id, NEW.number, NEW.content, NEW.purpose))
    EXECUTE FUNCTION messaging_refuse_change();
"""
THAW = """
DROP TRIGGER messaging_version_frozen ON messaging_templateversion;
DROP FUNCTION messaging_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]
    operations = [migrations.RunSQL(FREEZE, THAW)]
