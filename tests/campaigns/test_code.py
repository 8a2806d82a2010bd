"""Campaigns as code: the same bytes for the same thing, plans that say where, and nobody's change is overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import starting
from campaigns.code import applying, texts
from campaigns.code.differences import differences
from campaigns.code.texts import CodeError
from campaigns.models import Admission, AppliedCode, Campaign, CampaignVersion
from campaigns.starters import STARTERS
from events.models import Segment
from events.segments import keeping
from messaging.models import Layout, Provider, Template, Topic
from tests.campaigns.flow import delay, make_campaign, make_template, send

pytestmark = pytest.mark.django_db


def everything() -> None:
    """Make one of each kind, and the campaigns that are ready made."""
    Topic.objects.create(slug="news", name="News", joining="opt_in", position=3)
    layout = Layout.objects.create(name="Frame", html="<main>{{ content }}</main>\n", text="{{ content }}")
    topic = Topic.objects.get()
    make_template("Über uns", html="<p>\n  Hello 👋\n\n</p>\n", layout=layout, topic=topic)
    keeping.save(Segment(slug="vips", name="VIPs", condition={"trait": "vip", "is": True}), {"condition"})
    keeping.save(Segment(slug="list", name="A list", kind="manual"), set())
    for number, starter in enumerate(STARTERS):
        starting.start(starter, f"Ready {number}", f"ready-{number}", {})
    campaign = make_campaign(delay(3600), send(), trigger={"kind": "segment", "segment": "vips"}, name="Mine")
    Admission.objects.create(campaign=campaign, holdout=5, stages=[10, 50])


def wipe() -> None:
    AppliedCode.objects.all().delete()
    for model in (Admission,):
        model.objects.all().delete()
    Campaign.objects.update(live_version=None)
    for model in (CampaignVersion, Campaign, Segment):
        model._default_manager.all().delete()
    for version_of in Template.objects.all():
        version_of.versions.all().delete()
    for model in (Template, Layout, Topic):
        model._default_manager.all().delete()


def test_export_and_apply_on_an_empty_installation_give_the_same_bytes() -> None:
    everything()
    files = applying.export()
    assert {path.split("/")[0] for path in files} == {"topics", "layouts", "templates", "segments", "campaigns"}
    wipe()
    items = applying.apply(files)
    assert not applying.is_refused(items) and {item.sign for item in items} == {applying.ADD}, list(
        applying.told(items, done=True)
    )
    assert applying.export() == files
    assert {item.sign for item in applying.plan(files)} == {applying.SAME}


def test_one_campaign_brings_what_it_uses() -> None:
    everything()
    assert set(applying.export(["mine"])) == {"campaigns/mine.yaml", "segments/vips.yaml", "templates/hello.yaml"}


def test_a_plan_says_where_and_changes_nothing() -> None:
    campaign = make_campaign(delay(3600), send(), name="Mine")
    files = applying.export()
    files["campaigns/mine.yaml"] = files["campaigns/mine.yaml"].replace("seconds: 3600", "seconds: 7200")
    (item,) = [each for each in applying.plan(files) if each.sign != applying.SAME]
    assert [(each.sign, each.place, each.text) for each in item.changes] == [
        ("~", "definition.steps/wait.seconds", "3600 → 7200")
    ]
    campaign.refresh_from_db()
    assert campaign.draft["steps"][0]["seconds"] == 3600
    assert list(applying.told(applying.plan(files), done=False))[-1].startswith("0 to add, 1 to change, 1 unchanged")


def test_edits_follow_each_other_and_what_somebody_else_changed_is_refused() -> None:
    campaign = make_campaign(delay(3600), send(), name="Mine")
    files = applying.export()
    path = "campaigns/mine.yaml"
    for seconds in (7200, 60):
        files[path] = files[path].replace(files[path].split("seconds: ")[1].split("\n")[0], str(seconds))
        assert not applying.is_refused(applying.apply(files))
    campaign.refresh_from_db()
    campaign.draft["steps"][0]["seconds"] = 5
    campaign.save()
    files[path] = files[path].replace("seconds: 60", "seconds: 61")
    refused = [item for item in applying.apply(files) if item.sign == applying.CONFLICT]
    assert "definition.steps/wait.seconds is 5 here" in refused[0].faults[0].message
    line = files[path].splitlines()[refused[0].faults[0].line - 1]
    assert "steps" in line or "seconds" in line
    campaign.refresh_from_db()
    assert campaign.draft["steps"][0]["seconds"] == 5
    assert not applying.is_refused(applying.apply(files, force=True))
    campaign.refresh_from_db()
    assert campaign.draft["steps"][0]["seconds"] == 61


def test_a_file_without_a_base_overwrites_nothing() -> None:
    make_template("Hello")
    text = texts.write({"kind": "template", "name": "Hello", "subject": "Mine", "html": "x"})
    (item,) = applying.apply({"a.yaml": text})
    assert item.sign == applying.CONFLICT and "does not say what it was made from" in item.faults[0].message


@pytest.mark.parametrize(
    ("text", "place", "line", "message"),
    [
        ("kind: campaign\nslug: x\nname: X\ncolour: red\n", "colour", 4, "a campaign has no colour"),
        ("kind: nonsense\n", "kind", 1, "has to be one of topic"),
        ("kind: topic\nslug: x\nposition: two\n", "position", 3, "a whole number"),
        ("kind: topic\nname: X\n", "slug", 1, "needs a slug"),
        ("kind: topic\nslug: x\nslug: y\n", "", 3, "slug is said twice"),
        ("kind: topic\nslug: &a x\n", "", 2, "anchors"),
        ("kind: topic\n slug: x\n", "", 2, "this is no YAML"),
        ("- 1\n", "", 1, "names with their values"),
        ("kind: topic\nslug: x\nname: X\njoining: maybe\n", "joining", 4, "not a valid choice"),
        ("kind: template\nname: T\nsubject: s\nhtml: h\nlayout: No\n", "layout", 5, "there is no layout No"),
        ("kind: segment\nslug: s\nname: S\ncondition:\n  traid: x\n", "condition", 4, ""),
        (
            "kind: campaign\nslug: x\nname: X\ndefinition:\n  steps:\n  - id: a\n    kind: send\n    template: No\n",
            "definition.steps[0].template",
            8,
            "there is no template No",
        ),
        ("kind: campaign\nslug: x\nname: X\nadmission:\n  holdout: 90\n", "admission", 4, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_nothing_is_applied(
    text: str, place: str, line: int, message: str
) -> None:
    good = texts.write({"kind": "topic", "slug": "good", "name": "Good"})
    items = {item.path: item for item in applying.apply({"bad.yaml": text, "good.yaml": good})}
    (fault,) = items["bad.yaml"].faults
    assert (fault.place.split(".")[0] if "[" not in place else fault.place) == place or fault.place == place
    assert message in fault.message and fault.line == line
    assert not Topic.objects.exists()


def test_a_thing_is_said_in_one_file_only() -> None:
    topic = texts.write({"kind": "topic", "slug": "good", "name": "Good"})
    items = {item.path: item for item in applying.plan({"a.yaml": topic, "b.yaml": topic})}
    assert (
        items["b.yaml"].sign == applying.WRONG and "a.yaml is this topic already" in items["b.yaml"].faults[0].message
    )


def test_the_command_exports_plans_applies_and_publishes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = make_campaign(delay(3600), send(), name="Mine")
    call_command("campaigns", "export", str(tmp_path))
    path = tmp_path / "campaigns" / "mine.yaml"
    path.write_text(path.read_text().replace("seconds: 3600", "seconds: 7200"))
    with pytest.raises(SystemExit) as stopped:
        call_command("campaigns", "plan", str(tmp_path))
    assert stopped.value.code == 2 and "~ campaign mine" in capsys.readouterr().out
    call_command("campaigns", "apply", str(tmp_path), "--publish", "From the repository.")
    assert "1 changed" in capsys.readouterr().out
    campaign.refresh_from_db()
    assert campaign.live_version is not None and campaign.live_version.number == 2
    call_command("campaigns", "plan", str(tmp_path))
    path.write_text("kind: campaign\n")
    with pytest.raises(SystemExit) as stopped:
        call_command("campaigns", "apply", str(tmp_path))
    assert stopped.value.code == 1 and "Nothing was applied." in capsys.readouterr().out


def test_what_cannot_run_is_not_published() -> None:
    text = texts.write({"kind": "campaign", "slug": "x", "name": "X", "definition": {"steps": []}})
    (item,) = applying.apply({"x.yaml": text}, reason="Because.")
    assert item.sign == applying.WRONG and not Campaign.objects.exists()


def test_providers_are_named_and_not_made() -> None:
    Provider.objects.create(name="Main", from_email="hello@acme.example")
    make_template("Hello", provider=Provider.objects.get(name="Main"))
    files = applying.export()
    assert "provider: Main" in files["templates/hello.yaml"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), JSON, max_size=5))
def test_whatever_json_there_is_comes_back(value: dict[str, Any]) -> None:
    text = texts.write(value)
    assert texts.read(text).value == value
    assert texts.write(texts.read(text).value) == text


@given(JSON, JSON)
def test_things_differ_where_they_are_not_equal(before: Any, after: Any) -> None:
    assert bool(list(differences(before, after))) == (before != after)


def test_texts_that_look_like_something_else_stay_texts() -> None:
    said = {"on": "2026-11-27", "yes": "no", "at": "09:00", "number": "12", "null": "null", "long": "a\nb\n"}
    text = texts.write(said)
    assert "on: 2026-11-27" in text and "at: 09:00" in text and 'number: "12"' in text.replace("'", '"')
    assert texts.read(text).value == said
    with pytest.raises(CodeError):
        texts.read("{a: 1, a: 2}")
