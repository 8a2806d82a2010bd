"""The console's topics, the panel on a person's page, and the topic of a template."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from messaging import subscriptions
from messaging.models import Subscription, Template, Topic
from tests.factories import make_profile, make_template, make_topic

pytestmark = pytest.mark.django_db
TOPICS = "/admin/messaging/topic/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_a_topic_is_added_and_keeps_its_short_name(admin_client: Client) -> None:
    assert "A topic is what mails are about" in text_of(admin_client, TOPICS)
    said = {"name": "News", "slug": "news", "description": "", "joining": "opt_in", "position": "2"}
    said |= {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}
    assert admin_client.post(f"{TOPICS}add/", said).status_code == 302
    topic = Topic.objects.get()
    admin_client.post(f"{TOPICS}{topic.pk}/change/", {**said, "name": "Letter", "slug": "letter", "archived": "on"})
    topic.refresh_from_db()
    assert (topic.name, topic.slug, topic.joining, topic.archived) == ("Letter", "news", "opt_in", True)
    assert f"topic_{topic.pk}" in text_of(admin_client, f"{TOPICS}{topic.pk}/change/")
    assert "Archived" in text_of(admin_client, TOPICS)


def test_a_topic_that_somebody_has_left_is_not_deleted(admin_client: Client) -> None:
    topic = make_topic()
    subscriptions.unsubscribe([make_profile().pk], topic, "page")
    admin_client.post(f"{TOPICS}{topic.pk}/delete/", {"post": "yes"})
    assert Topic.objects.get() == topic


def test_a_persons_page_shows_and_changes_what_was_said(admin_client: Client) -> None:
    ada, news, offers = make_profile(), make_topic(), make_topic("offers", joining="opt_in")
    make_topic("old", archived=True)
    page = f"/admin/events/profile/{ada.pk}/change/"
    shown = text_of(admin_client, page)
    assert (
        "Gets it" in shown
        and "Not subscribed" in shown
        and "Has said nothing of it yet" in shown
        and "Old" not in shown
    )
    for topic, state in ((news, "unsubscribed"), (offers, "subscribed"), (offers, "subscribed")):
        answer = admin_client.post(f"{TOPICS}{topic.pk}/people/{ada.pk}/", {"state": state})
        assert (answer.status_code, answer.headers["Location"]) == (302, page)
    said = Subscription.objects.order_by("id").values_list("topic__slug", "state", "source", "channel")
    assert list(said) == [
        ("newsletter", "unsubscribed", "manual", "all"),
        ("offers", "subscribed", "manual", "all"),
    ]
    assert LogEntry.objects.count() == 2
    assert "· By hand" in text_of(admin_client, page)


def test_who_may_only_look_changes_nothing(client: Client) -> None:
    ada, topic = make_profile(), make_topic()
    looker = User.objects.create_user("looker", password="x", is_staff=True)
    looker.user_permissions.set(Permission.objects.filter(codename__in=["view_topic", "view_profile"]))
    client.force_login(looker)
    shown = text_of(client, f"/admin/events/profile/{ada.pk}/change/")
    assert "Gets it" in shown and "Unsubscribe from" not in shown
    assert client.post(f"{TOPICS}{topic.pk}/people/{ada.pk}/", {"state": "unsubscribed"}).status_code == 403
    assert client.get(f"{TOPICS}{topic.pk}/people/{ada.pk}/").status_code == 405
    assert not Subscription.objects.exists()


def test_a_template_names_its_topic(admin_client: Client) -> None:
    topic, template = make_topic(), make_template()
    url = f"/admin/messaging/template/{template.pk}/change/"
    assert "Newsletter" in text_of(admin_client, url)
    said = {name: getattr(template, name) for name in ("name", "purpose", "subject", "preheader", "html", "text")}
    said |= {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}
    admin_client.post(url, {**said, "topic": topic.pk, "provider": "", "layout": "", "from_email": "", "reply_to": ""})
    assert Template.objects.get().topic == topic
