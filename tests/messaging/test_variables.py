"""What templates can say of the company their reader belongs to."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events import groups
from messaging import delivery
from messaging.models import Message
from messaging.preview import preview
from tests.factories import make_message, make_profile, make_provider, make_template, make_version

pytestmark = pytest.mark.django_db
SPEAKS = "{{ company.name | default: 'nobody' }}/{% for group in groups %}{{ group.type }} {{ group.id }} {% endfor %}"


def deliver() -> int:
    with CaptureQueriesContext(connection) as statements:
        delivery.deliver_due(time.monotonic() + 10)
    return len(statements)


def test_a_mail_speaks_of_the_present_company_and_of_all_groups() -> None:
    make_provider(is_default=True)
    version = make_version(make_template(subject=SPEAKS))
    ada, ben = (make_profile(email=f"{name}@example.com") for name in ("ada", "ben"))
    for type_, key in (("company", "globex"), ("company", "acme"), ("team", "blue")):
        groups.relate(ada.pk, type_, key, {})
    groups.save_object("company", "acme", {"name": "Acme"})
    for person in (ada, ben):
        make_message(person, template_version=version)
    deliver()
    subjects = dict(Message.objects.values_list("profile", "subject"))
    assert subjects == {ada.pk: "Acme/team blue company acme company globex", ben.pk: "nobody/"}
    assert preview(version.template, ada, None).subject == subjects[ada.pk]


def test_groups_cost_one_statement_a_batch_and_only_where_a_template_speaks_of_them() -> None:
    make_provider(is_default=True)
    silent, speaks = make_version(make_template(subject="Hi")), make_version(make_template(subject=SPEAKS))
    people = [make_profile(email=f"{n}@example.com") for n in range(12)]
    counts = []
    for version, some in ((silent, people), (speaks, people[:2]), (speaks, people)):
        for person in some:
            groups.relate(person.pk, "company", "acme", {})
            make_message(person, template_version=version)
        counts.append(deliver())
    assert counts == [counts[0], counts[0] + 1, counts[0] + 1]
