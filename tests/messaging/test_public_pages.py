"""The pages on which recipients say what they want, reached as browsers, mail programs and scanners reach them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from events.models import Event, Profile
from messaging import consent, delivery, links, optin, permission, subscriptions
from messaging.models import (
    Consent,
    Message,
    MessageBody,
    PublicPages,
    Subscription,
    TopicTranslation,
    TrackingRefusal,
    Unsubscription,
)
from messaging.preview import NOBODY
from messaging.public_pages import BLUE, on
from messaging.public_words import FOLDER, in_language
from messaging.states import Status
from messaging.subscriptions import Said
from tests.factories import make_message, make_profile, make_provider, make_template, make_topic, make_version

pytestmark = pytest.mark.django_db
State = Subscription.State


@pytest.fixture
def visitor() -> Client:
    """A browser that has no cookie of ours, and a server that insists on CSRF tokens."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def ada() -> Profile:
    make_provider(is_default=True)
    return make_profile("ada", traits={"email": "ada@example.com"})


def path(url: str) -> str:
    return url[url.index("/m/") :]


def text(answer: Any) -> str:
    return str(answer.content.decode())


def mail_about(profile: Profile, topic: Any) -> Message:
    version = make_version(make_template(topic=topic))
    return make_message(profile, Status.SENT, template_version=version, address=profile.email)


def gets(profile: Profile, topic: Any, channel: str = "email") -> str:
    asked = (profile.pk, topic.pk, channel)
    return subscriptions.states([asked])[asked].name


def preferences(message: Message) -> str:
    return path(links.preferences_url(message.public_id))


# --- Unsubscribe -----------------------------------------------------------------------------------------------------


def test_whoever_leaves_a_topic_stays_with_the_others(visitor: Client, ada: Profile) -> None:
    news, offers = make_topic(), make_topic("offers")
    url = path(links.unsubscribe_url(mail_about(ada, news).public_id))
    assert "No more about “Newsletter”" in text(visitor.get(url))
    answer = visitor.post(url, {"do": "leave_topic"})
    assert (answer.status_code, answer["Location"]) == (303, url)
    assert "gets nothing more about “Newsletter”" in text(visitor.get(url))
    assert (gets(ada, news), gets(ada, offers)) == ("LEFT", "OPEN")
    assert not Unsubscription.objects.exists()
    visitor.post(url, {"do": "rejoin_topic"})
    assert gets(ada, news) == "OPEN"
    visitor.post(url, {"do": "unsubscribe"})
    assert Unsubscription.objects.get().method == "page"


@pytest.mark.parametrize("language", [*in_language.known, "de-AT", "xx"])
def test_pages_speak_the_language_of_the_person(visitor: Client, ada: Profile, language: str) -> None:
    ada.language = language
    ada.save()
    topic = make_topic()
    TopicTranslation.objects.create(topic=topic, language="de", name="Rundbrief", description="Jede Woche")
    page = text(visitor.get(preferences(mail_about(ada, topic))))
    spoken = language.partition("-")[0] if language != "xx" else "en"
    assert f'<html lang="{spoken}">' in page
    assert in_language(spoken)["preferences_title"] in page
    assert ("Rundbrief" in page and "Jede Woche" in page) == (spoken == "de")


def test_strangers_are_answered_in_the_language_of_their_browser(visitor: Client) -> None:
    page = text(visitor.get("/m/u/nonsense", headers={"accept-language": "xx, fr-CH;q=0.9, en;q=0.8"}))
    assert "Ce lien ne fonctionne pas" in page


def test_each_language_has_the_same_words() -> None:
    own = json.loads((FOLDER / "en.json").read_text())
    for language in in_language.known:
        there = json.loads((FOLDER / f"{language}.json").read_text())
        assert there.keys() == own.keys(), language
        for name, words in own.items():
            for place in ("{address}", "{topic}", "{{ trigger.topic }}"):
                assert (place in there[name]) == (place in words), (language, name)


def test_pages_look_as_the_workspace_wants_and_run_nothing(visitor: Client, ada: Profile) -> None:
    PublicPages.objects.create(
        sender="Acme", logo_url="https://cdn.acme.example/logo.png", colour="#ffd400", note="<b>Acme</b>, Vienna"
    )
    answer = visitor.get(preferences(mail_about(ada, make_topic())))
    page = text(answer)
    assert '<img src="https://cdn.acme.example/logo.png" alt="Acme">' in page
    assert "--act: #ffd400; --on-act: #000000" in page
    assert "&lt;b&gt;Acme&lt;/b&gt;, Vienna" in page
    assert "<script" not in page
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "img-src https://cdn.acme.example;" in policy
    assert on(BLUE) == "#ffffff"


# --- Preferences -----------------------------------------------------------------------------------------------------


def test_somebody_chooses_topics_and_channels(visitor: Client, ada: Profile) -> None:
    make_provider(kind="twilio", is_default=True, from_email="+43660123")
    Profile.objects.filter(pk=ada.pk).update(phone="+43660123456")
    news, offers, old = make_topic(), make_topic("offers", joining="opt_in"), make_topic("old", archived=True)
    url = preferences(mail_about(ada, news))
    page = text(visitor.get(url))
    assert page.count('<input type="checkbox"') == 5, "two topics on two channels, and tracking"
    assert page.count(" checked") == 2
    answer = visitor.post(url, {"do": "save", f"t{news.pk}-sms": "on", f"t{offers.pk}-email": "on", "untracked": "on"})
    assert (answer.status_code, answer["Location"]) == (303, f"{url}?saved")
    assert "Your choices are saved." in text(visitor.get(f"{url}?saved"))
    states = {
        (topic.slug, channel): gets(ada, topic, channel) for topic in (news, offers) for channel in ("email", "sms")
    }
    assert states == {
        ("newsletter", "email"): "LEFT",
        ("newsletter", "sms"): "OPEN",
        ("offers", "email"): "OPEN",
        ("offers", "sms"): "NOT_JOINED",
    }
    assert TrackingRefusal.objects.filter(pk=ada.pk).exists()
    said = Subscription.objects.filter(topic=offers).get()
    assert (said.source, said.channel, said.state) == ("page", "email", "subscribed")
    given = Consent.objects.get()
    assert (given.basis, given.channel, given.source) == ("confirmed", "email", "page")
    assert "Offers" in given.detail
    assert not Subscription.objects.filter(topic=old).exists()
    # Saved once more, nothing is said once more.
    visitor.post(url, {"do": "save", f"t{news.pk}-sms": "on", f"t{offers.pk}-email": "on"})
    assert Subscription.objects.count() == 2
    assert not TrackingRefusal.objects.exists()


def test_what_is_alike_on_all_channels_is_said_of_all(visitor: Client, ada: Profile) -> None:
    news = make_topic()
    visitor.post(preferences(mail_about(ada, news)), {"do": "save"})
    assert Subscription.objects.get().channel == "all"
    assert gets(ada, news, "sms") == "LEFT"


def test_somebody_leaves_everything_and_comes_back(visitor: Client, ada: Profile) -> None:
    url = preferences(mail_about(ada, make_topic()))
    visitor.post(url, {"do": "leave"})
    assert Unsubscription.objects.get().profile == ada
    assert "You have unsubscribed from everything" in text(visitor.get(url))
    visitor.post(url, {"do": "resubscribe"})
    assert not Unsubscription.objects.exists()


def test_an_application_links_to_the_page_of_a_person(visitor: Client, ada: Profile) -> None:
    news = make_topic(joining="confirmed")
    url = path(links.preferences_of(ada.pk))
    assert visitor.get(url).status_code == 200
    visitor.post(url, {"do": "save", f"t{news.pk}-email": "on"})
    assert gets(ada, news) == "NOT_JOINED", "nobody has shown that the address is theirs"
    assert "waits for your confirmation" in text(visitor.get(url))
    assert Message.objects.filter(key__startswith=optin.KEY).count() == 1
    assert not Consent.objects.exists(), "nor is anything consented to"


@pytest.mark.parametrize("token", ["nonsense", "~1.x", f"{'a' * 22}.{'x' * 43}"])
def test_links_that_are_not_ours_say_so(visitor: Client, token: str) -> None:
    for kind in ("u", "p", "d"):
        answer = visitor.post(f"/m/{kind}/{token}", {"do": "leave"})
        assert answer.status_code == 404
        assert "This link does not work" in text(answer)


def test_links_of_tests_and_previews_change_nothing(visitor: Client, ada: Profile) -> None:
    test = make_message(ada, key="test:1", address="author@acme.example")
    for url in (links.preferences_url(NOBODY), links.preferences_url(test.public_id), links.confirm_url(0)):
        for answer in (visitor.get(path(url)), visitor.post(path(url), {"do": "leave"})):
            assert "nothing is changed by it" in text(answer)
    assert not Unsubscription.objects.exists() and not Subscription.objects.exists()


# --- Double opt-in ---------------------------------------------------------------------------------------------------


def ask(ada: Profile, **columns: Any) -> tuple[Any, str]:
    """Have an application say that she wants the newsletter; return the topic and the link in the mail she gets."""
    topic = make_topic(joining="confirmed", **columns)
    consent.heed_topics({ada.pk: {"newsletter": True}})
    delivery.deliver_due(time.monotonic() + 20)
    html = MessageBody.objects.get(message__key__startswith=optin.KEY).html
    return topic, next(part for part in html.split('"') if "/m/d/" in part)


def test_nobody_is_subscribed_before_they_have_confirmed_it(visitor: Client, ada: Profile) -> None:
    topic, url = ask(ada)
    assert gets(ada, topic) == "NOT_JOINED"
    mail = Message.objects.get()
    assert (mail.purpose, mail.subject, mail.status) == (
        "transactional",
        "Please confirm: Newsletter",
        Status.DELIVERED,
    )
    assert "Would you like to get “Newsletter” at a•••@example.com?" in text(visitor.get(path(url)))
    assert gets(ada, topic) == "NOT_JOINED"
    answer = visitor.post(path(url))
    assert answer.status_code == 303
    assert "is subscribed to “Newsletter”" in text(visitor.get(answer["Location"]))
    assert gets(ada, topic) == "OPEN"
    given = Consent.objects.get()
    assert (given.basis, given.source, given.expires_at) == ("confirmed", "page", None)
    assert "Confirmed by the mail" in given.detail
    assert visitor.post(path(url)).status_code == 303
    assert Subscription.objects.count() == 2, "a second press says nothing new"
    names = Event.objects.filter(profile=ada).order_by("pk").values_list("name", flat=True)
    assert [name for name in names if "Topic" in name or "Consent" in name] == [
        "Topic Subscription Requested",
        "Topic Subscribed",
        "Consent Given",
    ]


def test_scanners_that_follow_every_link_change_nothing(visitor: Client, ada: Profile) -> None:
    topic, url = ask(ada)
    news = mail_about(ada, make_topic("offers"))
    everything = [url, links.unsubscribe_url(news.public_id), links.preferences_url(news.public_id)]
    for agent in ("Mozilla/5.0", "Barracuda Sentinel (EE)", "Mozilla/5.0 (compatible; Proofpoint URL Defense)"):
        for link in everything:
            visitor.get(path(link), headers={"user-agent": agent})
            visitor.head(path(link), headers={"user-agent": agent})
            visitor.get(path(link) + "?do=unsubscribe&List-Unsubscribe=One-Click", headers={"user-agent": agent})
    assert not Unsubscription.objects.exists()
    assert Subscription.objects.values_list("state", flat=True).get() == "pending"
    assert gets(ada, topic) == "NOT_JOINED"


def test_an_old_link_and_one_that_was_overtaken_confirm_nothing(visitor: Client, ada: Profile) -> None:
    topic, url = ask(ada)
    Subscription.objects.update(at="2026-01-01T00:00:00Z")
    assert visitor.get(path(url)).status_code == 410
    visitor.post(path(url))
    assert gets(ada, topic) == "NOT_JOINED"
    Subscription.objects.update(at="2099-01-01T00:00:00Z")
    subscriptions.unsubscribe([ada.pk], topic, "page")
    visitor.post(path(url))
    assert gets(ada, topic) == "LEFT"


def test_confirming_lets_in_again_who_had_left_everything(visitor: Client, ada: Profile) -> None:
    topic, url = ask(ada)
    consent.unsubscribe(ada.pk, "page")
    assert "You had unsubscribed from everything" in text(visitor.get(path(url)))
    visitor.post(path(url))
    assert gets(ada, topic) == "OPEN" and not Unsubscription.objects.exists()


def test_whoever_has_confirmed_is_asked_no_more_and_nobody_is_asked_again_and_again(ada: Profile) -> None:
    topic, _ = ask(ada)
    for _ in range(3):
        consent.heed_topics({ada.pk: {"newsletter": True}})
    assert Message.objects.count() == 1, "what has been asked is not asked again by itself"
    for _ in range(5):
        subscriptions.unsubscribe([ada.pk], topic, "api")
        subscriptions.subscribe([ada.pk], topic, "api")
    assert Message.objects.count() == optin.MOST_A_DAY
    subscriptions.note([Said(ada.pk, topic.pk, State.SUBSCRIBED.value, "api", confirmed=True)])
    assert gets(ada, topic) == "OPEN"
    subscriptions.subscribe([ada.pk], topic, "api")
    assert gets(ada, topic) == "OPEN", "asking brings nobody down again"


def test_the_mail_is_written_in_the_language_of_the_person(ada: Profile) -> None:
    Profile.objects.filter(pk=ada.pk).update(language="de")
    ask(ada)
    assert Message.objects.get().subject == "Bitte bestätigen: Newsletter"
    assert "Ja, ich möchte mich anmelden" in MessageBody.objects.get().html


# --- Tracking --------------------------------------------------------------------------------------------------------


def test_of_whoever_does_not_want_it_nothing_is_recorded(visitor: Client, ada: Profile) -> None:
    version = make_version(make_template(html='<a href="https://acme.example/x">Go</a>'))
    before = make_message(ada, template_version=version)
    delivery.deliver_due(time.monotonic() + 20)
    assert permission.track(ada.pk, False, "page")
    after = make_message(ada, template_version=version)
    delivery.deliver_due(time.monotonic() + 20)
    html = MessageBody.objects.get(message=after).html
    assert "/m/o/" not in html and "/m/c/" not in html and 'href="https://acme.example/x"' in html
    agent = {"user-agent": "Mozilla/5.0 (X11)"}
    answer = visitor.get(path(links.click_url(before.public_id, "https://acme.example/x")), headers=agent)
    visitor.get(path(links.open_url(before.public_id)), headers=agent)
    assert answer["Location"] == "https://acme.example/x"
    before.refresh_from_db()
    assert before.status == Status.DELIVERED
    assert not Event.objects.filter(name__in=["Email Opened", "Email Clicked"]).exists()
