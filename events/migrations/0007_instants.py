"""``events_instant(value, zone)``: the instant that a JSON value means, for comparing traits and properties as dates.

A text is a day, or a day and a time, in ISO 8601; without an offset it is meant in ``zone``. A number is seconds since
1970, or milliseconds where it would otherwise lie thousands of years ahead, as JavaScript has them. Everything else,
days that do not exist included, is NULL. No error is ever raised, so that one odd value harms nobody else's.
"""

from django.db import migrations

CREATE = r"""
CREATE FUNCTION events_instant(value jsonb, zone text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
SELECT CASE jsonb_typeof(value)
    WHEN 'number' THEN CASE
        WHEN abs(value::numeric) < 100000000000 THEN to_timestamp(value::float8)
        WHEN abs(value::numeric) < 100000000000000 THEN to_timestamp(value::float8 / 1000)
    END
    WHEN 'string' THEN CASE
        WHEN value #>> '{}' !~ ('^(?!0000)[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])'
            '|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-9]))'
            '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?( ?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?)?$')
            THEN NULL
        WHEN substr(value #>> '{}', 6, 5) = '02-29'
            AND extract(day FROM make_date(substr(value #>> '{}', 1, 4)::int, 3, 1) - 1) < 29 THEN NULL
        WHEN value #>> '{}' ~ '(Z|[+-][0-9]{2}(:?[0-9]{2})?)$' AND length(value #>> '{}') > 10
            THEN (value #>> '{}')::timestamptz
        ELSE (value #>> '{}')::timestamp AT TIME ZONE zone
    END
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0006_retention")]
    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION events_instant(jsonb, text)"),
    ]
