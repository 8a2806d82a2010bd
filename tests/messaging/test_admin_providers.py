"""Providers: the fields of each kind, secrets that never come out again, and what can be tried."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from messaging import credentials
from messaging.models import Provider
from messaging.states import Status
from tests.factories import make_message, make_provider
from tests.fakes import FakeSendGrid, smtp
from tests.messaging.services import sendgrid_provider, smtp_provider

pytestmark = pytest.mark.django_db

LIST = "/admin/messaging/provider/"
SECRET = "SG.a-very-secret-value-wxyz"


def form(kind: str, **values: Any) -> dict[str, Any]:
    return {"name": "Account", "kind": kind, "from_email": "Acme <hello@acme.example>", "enabled": "on", **values}


def add(client: Client, kind: str, **values: Any) -> Provider:
    response = client.post(f"{LIST}add/", form(kind, **values))
    assert response.status_code == 302, response.context["adminform"].form.errors
    return Provider.objects.get(name="Account")


def refused(client: Client, kind: str, url: str = f"{LIST}add/", **values: Any) -> dict[str, list[str]]:
    response = client.post(url, form(kind, **values))
    assert response.status_code == 200
    errors: dict[str, list[str]] = response.context["adminform"].form.errors
    return errors


def page(provider: Provider) -> str:
    return f"{LIST}{provider.pk}/change/"


def sendgrid(key: str = SECRET, **columns: Any) -> Provider:
    provider = make_provider("Account", Provider.Kind.SENDGRID, **columns)
    credentials.store(provider, {"api_key": key})
    provider.save()
    return provider


def test_secret_is_stored_encrypted_and_read_back_for_sending(admin_client: Client) -> None:
    provider = add(admin_client, "sendgrid", api_key=SECRET)
    assert SECRET not in provider.secrets
    assert SECRET not in str(provider.settings)
    assert credentials.reveal(provider) == {"api_key": SECRET}


def test_secret_appears_in_no_answer(admin_client: Client) -> None:
    provider = sendgrid()
    answers = [
        admin_client.get(LIST),
        admin_client.get(page(provider)),
        admin_client.get(f"{LIST}{provider.pk}/history/"),
        admin_client.post(page(provider), form("sendgrid", from_email="not an address", api_key=SECRET)),
        admin_client.post(f"{LIST}{provider.pk}/default/"),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()
        assert provider.secrets not in answer.content.decode()
    assert "wxyz" in answers[1].content.decode()


def test_empty_field_keeps_the_secret_and_the_checkbox_forgets_it(admin_client: Client) -> None:
    provider = make_provider("Account", Provider.Kind.SMTP, settings={"host": "mail.example", "security": "none"})
    credentials.store(provider, {"username": "me", "password": "old"})
    provider.save()
    same = {"host": "mail.example", "security": "none"}
    admin_client.post(page(provider), form("smtp", **same))
    provider.refresh_from_db()
    assert credentials.reveal(provider) == {"username": "me", "password": "old"}
    admin_client.post(page(provider), form("smtp", **same, password="new", clear_username="on"))
    provider.refresh_from_db()
    assert credentials.reveal(provider) == {"password": "new"}


def test_environment_variable_is_named_and_not_read_into_the_database(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SENDGRID_KEY", SECRET)
    provider = add(admin_client, "sendgrid", api_key="$MY_SENDGRID_KEY")
    assert credentials.reveal(provider) == {"api_key": SECRET}
    text = admin_client.get(page(provider)).content.decode()
    assert "MY_SENDGRID_KEY" in text
    assert SECRET not in text


@pytest.mark.parametrize("value", ["$SECRET_KEY", "$DATABASE_URL", "$not a name", "$"])
def test_variables_of_cuebird_itself_and_nonsense_are_refused(admin_client: Client, value: str) -> None:
    assert "api_key" in refused(admin_client, "sendgrid", api_key=value)


@pytest.mark.parametrize(("kind", "missing"), [("sendgrid", "api_key"), ("postmark", "server_token"), ("smtp", "host")])
def test_what_a_kind_needs_is_asked_for(admin_client: Client, kind: str, missing: str) -> None:
    assert missing in refused(admin_client, kind)


def test_settings_of_the_kind_alone_are_kept(admin_client: Client) -> None:
    values = {"host": "mail.example", "port": "2525", "security": "none", "message_stream": "other"}
    assert add(admin_client, "smtp", **values).settings == {"host": "mail.example", "port": 2525, "security": "none"}


def test_secret_must_be_entered_again_when_it_would_go_elsewhere(admin_client: Client) -> None:
    provider = sendgrid()
    elsewhere = {"api_url": "https://collector.example/v3/"}
    assert "api_key" in refused(admin_client, "sendgrid", page(provider), **elsewhere)
    provider.refresh_from_db()
    assert provider.settings == {}
    response = admin_client.post(page(provider), form("sendgrid", api_key="another", **elsewhere))
    assert response.status_code == 302


def test_kind_stays_as_it_was(admin_client: Client) -> None:
    provider = make_provider("Account")
    admin_client.post(page(provider), form("sendgrid", api_key=SECRET))
    provider.refresh_from_db()
    assert (provider.kind, provider.secrets) == ("mailbox", "")


@pytest.mark.parametrize("sender", ["nonsense", "Acme <nonsense>", "a@b.example\r\nBcc: c@d.example"])
def test_sender_must_be_an_address(admin_client: Client, sender: str) -> None:
    assert "from_email" in refused(admin_client, "mailbox", from_email=sender)


def test_lost_encryption_key_still_lets_the_page_open(admin_client: Client, settings: Settings) -> None:
    provider = sendgrid()
    settings.SECRET_KEY = "another key than before"
    admin_client.force_login(User.objects.get(username="admin"))
    assert "cannot be read any more" in admin_client.get(page(provider)).content.decode()
    admin_client.post(page(provider), form("sendgrid", api_key="new"))
    provider.refresh_from_db()
    assert credentials.reveal(provider) == {"api_key": "new"}


def test_first_provider_becomes_the_default(admin_client: Client) -> None:
    assert add(admin_client, "mailbox").is_default


def test_another_provider_is_made_the_default(admin_client: Client) -> None:
    former, provider = make_provider(is_default=True), make_provider()
    assert "Default provider" in admin_client.post(f"{LIST}{provider.pk}/default/").content.decode()
    former.refresh_from_db()
    provider.refresh_from_db()
    assert (former.is_default, provider.is_default) == (False, True)


def test_saving_leads_to_a_check_of_the_connection(admin_client: Client) -> None:
    response = admin_client.post(f"{LIST}add/", form("mailbox"))
    provider = Provider.objects.get()
    assert response["Location"] == f"{page(provider)}?check=1"
    assert (
        f'hx-post="{LIST}{provider.pk}/check/" hx-trigger="load"'
        in admin_client.get(response["Location"]).content.decode()
    )


def test_check_shows_and_remembers_what_is_wrong(admin_client: Client) -> None:
    provider = make_provider("Account", Provider.Kind.SMTP, settings={"host": "127.0.0.1", "port": 1})
    text = admin_client.post(f"{LIST}{provider.pk}/check/").content.decode()
    provider.refresh_from_db()
    assert provider.check_ok is False
    assert "Does not work" in text
    assert provider.checked_at and provider.checked_at <= timezone.now()


def test_check_of_the_mailbox_is_fine(admin_client: Client) -> None:
    assert "Works" in admin_client.post(f"{LIST}{make_provider().pk}/check/").content.decode()


def test_check_with_a_good_key_is_fine(admin_client: Client) -> None:
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake)
        text = admin_client.post(f"{LIST}{provider.pk}/check/").content.decode()
    assert "Works" in text
    assert "SendGrid accepts the API key" in text


def test_test_mail_is_handed_over(admin_client: Client) -> None:
    with smtp() as fake:
        provider = smtp_provider(fake)
        text = admin_client.post(f"{LIST}{provider.pk}/trial/", {"address": "me@example.com"}).content.decode()
    assert "has taken the message to me@example.com" in text
    assert fake.recipients == ["me@example.com"]
    assert fake.mails[0]["From"] == provider.from_email
    assert LogEntry.objects.get().change_message == "Sent a test mail to me@example.com."


def test_refused_test_mail_shows_the_answer_and_not_the_key(admin_client: Client) -> None:
    key = "SG.wrong-and-very-secret"
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, key)
        trial = admin_client.post(f"{LIST}{provider.pk}/trial/", {"address": "me@example.com"}).content.decode()
        check = admin_client.post(f"{LIST}{provider.pk}/check/").content.decode()
    assert "authorization grant is invalid" in trial
    assert "does not accept the API key" in check
    assert key not in trial + check


def test_test_mail_says_why_it_could_not_be_sent(admin_client: Client) -> None:
    provider = make_provider("Account", Provider.Kind.SMTP, settings={"host": "127.0.0.1", "port": 1})
    text = admin_client.post(f"{LIST}{provider.pk}/trial/", {"address": "me@example.com"}).content.decode()
    assert 'role="alert"' in text
    assert "Write the address" in admin_client.post(f"{LIST}{provider.pk}/trial/", {"address": "x"}).content.decode()


def test_verification_key_is_checked_when_entered_and_can_be_seen(admin_client: Client) -> None:
    assert "webhook_key" in refused(admin_client, "sendgrid", api_key=SECRET, webhook_key="nonsense")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoded = base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    provider = add(admin_client, "sendgrid", api_key=SECRET, webhook_key=encoded)
    assert provider.settings == {"webhook_key": encoded}
    assert encoded[:40] in admin_client.get(page(provider)).content.decode()


def test_webhook_address_hides_the_log_in(admin_client: Client, settings: Settings) -> None:
    settings.WEBHOOK_SECRET = "hook:hidden-password"
    settings.BASE_URL = "https://mail.acme.example"
    text = admin_client.get(page(sendgrid())).content.decode()
    assert "https://USER:PASSWORD@mail.acme.example/webhooks/anymail/sendgrid/tracking/" in text
    assert "hidden-password" not in text
    assert "cannot reach this address" not in text


def test_missing_protection_and_local_address_are_pointed_out(admin_client: Client, settings: Settings) -> None:
    settings.WEBHOOK_SECRET = ""
    settings.BASE_URL = "http://127.0.0.1:8000"
    text = admin_client.get(page(sendgrid())).content.decode()
    assert "Reports are refused so far" in text
    assert "cannot reach this address" in text


def test_provider_that_has_carried_messages_cannot_be_deleted(admin_client: Client) -> None:
    provider = make_provider()
    make_message(provider=provider, status=Status.SENT)
    assert admin_client.post(f"{LIST}{provider.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("verb", ["check", "default", "trial"])
def test_trying_things_out_needs_the_right_to_change_providers(admin_client: Client, verb: str) -> None:
    provider = make_provider()
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_provider"))
    client = Client()
    client.force_login(user)
    assert client.post(f"{LIST}{provider.pk}/{verb}/").status_code == 403
    assert f"{provider.pk}/{verb}/" not in client.get(page(provider)).content.decode()
    assert admin_client.get(f"{LIST}{provider.pk}/{verb}/").status_code == 405
