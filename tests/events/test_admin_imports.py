"""The import page: upload, see what is wrong, choose what the columns mean, run; and the way out again."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from events.models import Event, Import, Profile
from events.transfers import imports
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db
PAGE = "/admin/events/import/"


def post_file(client: Client, data: bytes, name: str = "people.csv", **fields: Any) -> Any:
    form = {"kind": "profiles", "source": make_source().pk, "file": SimpleUploadedFile(name, data), **fields}
    return client.post(f"{PAGE}add/", form, follow=True)


def work() -> None:
    assert not imports.work(time.monotonic() + 30)


def test_an_upload_is_checked_shown_and_started(admin_client: Client) -> None:
    answer = post_file(admin_client, b"id,email\n42,ada@example.com\n,bob\n")
    upload = Import.objects.get()
    assert answer.redirect_chain[-1][0] == f"{PAGE}{upload.pk}/change/"
    assert "ada@example.com" in answer.content.decode(), "the first rows are shown"
    work()
    text = admin_client.get(f"{PAGE}{upload.pk}/change/").content.decode()
    assert "1 of 2 rows cannot be taken" in text
    assert "“bob” is no email address" in text
    assert not Profile.objects.exists()
    admin_client.post(f"{PAGE}{upload.pk}/start/")
    work()
    assert Profile.objects.get().email == "ada@example.com"
    upload.refresh_from_db()
    assert (upload.state, upload.created_by) == (Import.State.DONE, User.objects.get())


def test_the_columns_can_mean_something_else(admin_client: Client) -> None:
    post_file(admin_client, b"who,email,zip,secret\n42,ada@example.com,1010,x\n")
    upload = Import.objects.get()
    work()
    meanings = {"meaning-0": "user_id", "meaning-1": "word", "meaning-2": "text", "meaning-3": "ignore"}
    admin_client.post(f"{PAGE}{upload.pk}/columns/", {**meanings, "name-2": "postcode"})
    work()
    admin_client.post(f"{PAGE}{upload.pk}/start/")
    work()
    profile = Profile.objects.get()
    assert (profile.user_id, profile.traits) == ("42", {"email": "ada@example.com", "postcode": "1010"})


def test_a_file_that_is_none_is_refused_at_the_field(admin_client: Client) -> None:
    answer = post_file(admin_client, b"id,id\n1,2\n")
    assert "rename one of them" in answer.content.decode()
    assert not Import.objects.exists()
    answer = admin_client.post(f"{PAGE}add/", {"kind": "profiles"})
    assert "Choose a file" in answer.content.decode()


def test_the_progress_is_polled_until_the_state_changes(admin_client: Client) -> None:
    post_file(admin_client, b"id\n42\n")
    upload = Import.objects.get()
    address = f"{PAGE}{upload.pk}/progress/?state=checking"
    assert "every 1s" in admin_client.get(address).content.decode()
    work()
    assert admin_client.get(address)["HX-Refresh"] == "true"


def failed_rows(client: Client, upload: Import) -> bytes:
    return b"".join(client.get(f"{PAGE}{upload.pk}/failures.csv").streaming_content)  # type: ignore[attr-defined]


def test_the_failed_rows_can_be_downloaded_mended_and_imported_again(admin_client: Client) -> None:
    post_file(admin_client, b'id;name\n;=Ada\n1;2;3\n"x"y;z\n')
    work()
    header, *lines = csv.reader(failed_rows(admin_client, Import.objects.get()).decode().splitlines())
    assert header == ["id", "name", "(row)", "(at)", "(what is wrong)"]
    assert [line[:4] for line in lines] == [["", "'=Ada", "1", "id"], ["1;2;3", "", "2", ""], ['"x"y;z', "", "3", ""]]
    assert all(line[4] for line in lines)
    mended = io.StringIO()
    csv.writer(mended).writerows([header, ["42", *lines[0][1:]]])
    post_file(admin_client, mended.getvalue().encode())
    work()
    admin_client.post(f"{PAGE}{Import.objects.latest('pk').pk}/start/")
    work()
    assert Profile.objects.get().traits == {"name": "=Ada"}


def test_failed_lines_of_ndjson_stand_in_the_first_cell(admin_client: Client) -> None:
    post_file(admin_client, b'{"name": "Ada"}', "people.ndjson")
    work()
    _, line = csv.reader(failed_rows(admin_client, Import.objects.get()).decode().splitlines())
    assert line[:2] == ['{"name": "Ada"}', "1"]


def test_who_may_only_look_starts_nothing(client: Client) -> None:
    user = User.objects.create_user("reader", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_import"))
    client.force_login(user)
    upload = Import(kind="profiles", format="csv", source=make_source(), file_name="people.csv")
    imports.store(upload, [b"id\n42"])
    page = client.get(f"{PAGE}{upload.pk}/change/")
    assert (page.status_code, "Start the import" in page.content.decode()) == (200, False)
    assert client.post(f"{PAGE}{upload.pk}/start/").status_code == 403
    assert client.get(f"{PAGE}add/").status_code == 403
    assert client.post(f"{PAGE}export/", {"kind": "profiles", "format": "csv"}).status_code == 403


def test_people_and_events_are_exported(admin_client: Client) -> None:
    make_event(make_profile("ada", traits={"email": "ada@example.com"}), "Ordered", {"total": 5})
    for kind, file_format, expected in (
        ("profiles", "csv", "ada@example.com"),
        ("profiles", "ndjson", '"traits":{"email": "ada@example.com"}'),
        ("events", "csv", "Ordered,ada"),
        ("events", "ndjson", '"event":"Ordered"'),
    ):
        answer = admin_client.post(f"{PAGE}export/", {"kind": kind, "format": file_format})
        assert expected in b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
        assert f"{kind}-" in answer["Content-Disposition"]
    assert Event.objects.exists()
    assert "Download" in admin_client.get(f"{PAGE}export/").content.decode()


def test_the_letters_of_an_upload_can_be_chosen(admin_client: Client) -> None:
    data = "id,name\n42,Zoë".encode("cp1252")
    assert "choose the file&#x27;s encoding" in post_file(admin_client, data).content.decode()
    assert "Zoë" in post_file(admin_client, data, encoding="cp1252").content.decode()
