"""Trying a template out."""

from __future__ import annotations

import time

import pytest

from events.models import Event, Profile
from messaging import delivery
from messaging.errors import TemplateError
from messaging.models import Message, MessageBody, Template
from messaging.preview import preview, send_test
from messaging.states import Status
from tests.factories import make_event, make_profile, make_provider, make_template

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Profile:
    return make_profile("ada", traits={"first_name": "Ada", "email": "ada@example.com"})


def test_shows_the_mail_for_a_person_and_an_event(ada: Profile) -> None:
    template = make_template(subject="{{ customer.first_name }} {{ trigger.plan }}{{ event.plan }} {{ trigger.none }}")
    mail = preview(template, ada, make_event(ada, properties={"plan": "Pro"}))
    assert mail.subject == "Ada ProPro"
    assert mail.missing == ("trigger.none",)


def test_shows_the_way_out_that_the_mail_will_have(ada: Profile) -> None:
    assert "Unsubscribe" in preview(make_template(), ada, None).html
    assert "Unsubscribe" not in preview(make_template(purpose="transactional"), ada, None).html


def test_needs_neither_a_stored_template_nor_a_stored_person() -> None:
    template = Template(subject="Hi {{ customer.first_name }}", html="<p>x</p>")
    assert preview(template, Profile(traits={"first_name": "Ada"}), None).subject == "Hi Ada"
    assert not Message.objects.exists()


def test_a_test_is_a_real_message_to_the_authors_address(ada: Profile) -> None:
    make_provider(is_default=True)
    template = make_template(subject="{{ customer.first_name }} {{ trigger.plan }}")
    event = make_event(ada, properties={"plan": "Pro"})
    message = send_test(template, ada, event, "author@acme.example", None)
    assert (message.is_test, message.key[:5], message.status) == (True, "test:", Status.QUEUED)
    delivery.deliver_due(time.monotonic() + 5)
    message.refresh_from_db()
    assert (message.status, message.address, message.subject) == (Status.DELIVERED, "author@acme.example", "Ada Pro")
    assert MessageBody.objects.filter(message=message).exists()
    assert list(Event.objects.filter(profile=ada)) == [event]


def test_a_test_goes_over_the_templates_own_provider(ada: Profile) -> None:
    provider = make_provider()
    message = send_test(make_template(provider=provider), ada, None, "author@acme.example", None)
    assert message.provider == provider


def test_a_template_that_does_not_render_is_not_sent(ada: Profile) -> None:
    with pytest.raises(TemplateError, match="unknown filter"):
        send_test(make_template(subject="{{ x | shout }}"), ada, None, "author@acme.example", None)
    assert not Message.objects.exists()
