"""What is said of a domain, from recorded answers: good records, and each way in which they go wrong."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from messaging import dns_rules
from messaging.dns_rules import HABITS, Answer, Ask, Finding, Report, examine

DOMAIN = "mail.acme.example"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
Zone = dict[tuple[str, str], tuple[str, ...]]


def key_record(bits: int) -> str:
    key = rsa.generate_private_key(65537, bits).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


@pytest.fixture(scope="module")
def strong() -> str:
    return key_record(2048)


@pytest.fixture(scope="module")
def fair() -> str:
    return key_record(1024)


# No library makes such a small key any more: 512 bits, as they were published for years.
WEAK = (
    "v=DKIM1; k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu"
    "KUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="
)


@pytest.fixture
def zone(strong: str) -> Zone:
    """Everything as it should be."""
    return {
        (DOMAIN, "TXT"): ("v=spf1 include:sendgrid.net ip4:192.0.2.7 ~all", "some-other-service=1"),
        ("sendgrid.net", "TXT"): ("v=spf1 ip4:198.51.100.0/24 ~all",),
        (f"s1._domainkey.{DOMAIN}", "TXT"): (strong,),
        (f"_dmarc.{DOMAIN}", "TXT"): ("v=DMARC1; p=quarantine; rua=mailto:dmarc@acme.example",),
        (DOMAIN, "MX"): ("10 mx.acme.example.",),
        (f"bounces.{DOMAIN}", "MX"): ("10 mx.sendgrid.net.",),
        (f"bounces.{DOMAIN}", "TXT"): ("v=spf1 include:sendgrid.net ~all",),
    }


def asking(zone: Mapping[tuple[str, str], tuple[str, ...]], silent: str = "") -> Ask:
    def ask(name: str, kind: str) -> Answer:
        if silent and name.endswith(silent):
            return Answer(error="DNS did not answer")
        return Answer(zone.get((name, kind), ()))

    return ask


def report(zone: Zone, silent: str = "", **given: object) -> Report:
    options = {"selectors": ["s1"], "bounces": f"bounces.{DOMAIN}", "habits": [HABITS["sendgrid"]], **given}
    return examine(DOMAIN, asking(zone, silent), NOW, **options)  # type: ignore[arg-type]


def finding(zone: Zone, check: str, **given: object) -> Finding:
    return next(one for one in report(zone, **given).findings if one.check == check)  # type: ignore[arg-type]


def test_a_good_domain_has_nothing_to_be_mended(zone: Zone) -> None:
    found = report(zone)
    assert {one.check: one.state for one in found.findings} == dict.fromkeys(dns_rules.TITLES, "good")
    assert not found.fails and not found.is_silent
    assert len(found.since) == 1


# --- SPF -------------------------------------------------------------------------------------------------------------


def many(count: int) -> Zone:
    zone: Zone = {(f"s{n}.example", "TXT"): ("v=spf1 ip4:192.0.2.0/24 -all",) for n in range(count)}
    return zone | {(DOMAIN, "TXT"): (" ".join(["v=spf1", *(f"include:s{n}.example" for n in range(count)), "~all"]),)}


@pytest.mark.parametrize(
    ("record", "state", "words"),
    [
        ("v=spf1 include:sendgrid.net -all", "good", ""),
        ("v=spf1 include:sendgrid.net ~all", "good", "DMARC decides"),
        ("V=SPF1 INCLUDE:sendgrid.net ~ALL", "good", ""),
        ("v=spf1 redirect=_spf.acme.example", "good", ""),
        ("v=spf1 include:sendgrid.net ?all", "warn", "End it with ~all"),
        ("v=spf1 include:sendgrid.net", "warn", "End it with ~all"),
        ("v=spf1 a mx ~all", "warn", "does not include sendgrid.net"),
        ("v=spf1 include:sendgrid.net +all", "fail", "anybody"),
        ("v=spf1 include:sendgrid.net all", "fail", "anybody"),
        ("v=spf1 include:nowhere.example ~all", "fail", "nowhere.example, which has no SPF record"),
        ("v=spf1 include:twice.example ~all", "fail", "2 SPF records"),
        (f"v=spf1 include:{DOMAIN} ~all", "fail", "within itself"),
        ("v=spf1 inlcude:sendgrid.net ~all", "fail", "nothing that SPF knows"),
        ("v=spf1 ip4:300.1.1.1 ~all", "fail", "no address"),
        ("v=spf1 ip4:2001:db8::1 ~all", "fail", "of the other kind"),
        (
            "v=spf1 include:sendgrid.net " + " ".join(f"ip4:192.0.2.{n}" for n in range(40)) + " ~all",
            "warn",
            "characters",
        ),
    ],
)
def test_spf(zone: Zone, record: str, state: str, words: str) -> None:
    zone |= {
        (DOMAIN, "TXT"): (record,),
        ("_spf.acme.example", "TXT"): ("v=spf1 include:sendgrid.net -all",),
        ("twice.example", "TXT"): ("v=spf1 -all", "v=spf1 ~all"),
    }
    found = finding(zone, "spf", bounces="")
    assert (found.state, found.name) == (state, DOMAIN), found
    assert words in found.fix
    assert found.found == record


def test_spf_that_is_missing(zone: Zone) -> None:
    del zone[DOMAIN, "TXT"]
    found = finding(zone, "spf", bounces="", habits=[])
    assert (found.state, found.found) == ("fail", "No SPF record")
    assert DOMAIN in found.fix
    found = finding(zone, "spf", bounces="")
    assert (found.state, found.expected) == ("warn", "v=spf1 include:sendgrid.net ~all"), "bounces go to SendGrid"
    del zone[f"bounces.{DOMAIN}", "TXT"]
    assert finding(zone, "spf", habits=[HABITS["mailgun"]]).state == "fail"


def test_spf_that_is_doubled_is_put_into_one(zone: Zone) -> None:
    zone[DOMAIN, "TXT"] = ("v=spf1 include:sendgrid.net -all", "v=spf1 ip4:192.0.2.7 include:sendgrid.net ~all")
    found = finding(zone, "spf", bounces="")
    assert (found.state, found.expected) == ("fail", "v=spf1 include:sendgrid.net ip4:192.0.2.7 ~all")
    assert "may be one only" in found.fix
    zone[DOMAIN, "TXT"] = ("v=spf1 +all", "v=spf1 include:mail.small -all", "v=spf1 mx -all")
    assert finding(zone, "spf", bounces="").expected == "v=spf1 include:mail.small mx ~all", (
        "never advises to let in all"
    )


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 a mx -all", "v=spf1 a mx include:sendgrid.net -all"),
        ("v=spf1 mx", "v=spf1 mx include:sendgrid.net"),
        ("v=spf1 mx redirect=twice.example", "v=spf1 mx include:sendgrid.net redirect=twice.example"),
    ],
)
def test_what_spf_lacks_is_put_into_the_record_that_is_there(zone: Zone, record: str, expected: str) -> None:
    zone |= {(DOMAIN, "TXT"): (record,), ("twice.example", "TXT"): ("v=spf1 mx -all",)}
    assert finding(zone, "spf", bounces="").expected == expected


@pytest.mark.parametrize(("count", "state"), [(10, "warn"), (11, "fail")])
def test_spf_that_takes_too_many_look_ups(count: int, state: str) -> None:
    found = finding(many(count), "spf", bounces="")
    assert found.state == state
    assert ("receivers give up after 10" in found.fix) == (state == "fail")


def test_spf_that_goes_on_for_ever_ends(zone: Zone) -> None:
    zone |= {(f"l{n}.example", "TXT"): (f"v=spf1 include:l{n + 1}.example a mx ~all",) for n in range(500)}
    zone[DOMAIN, "TXT"] = ("v=spf1 include:l0.example ~all",)
    assert finding(zone, "spf", bounces="").state == "fail"


# --- DKIM ------------------------------------------------------------------------------------------------------------


def with_key(zone: Zone, *texts: str, selector: str = "s1") -> Zone:
    return {**zone, (f"{selector}._domainkey.{DOMAIN}", "TXT"): texts}


def test_dkim_that_is_missing_or_at_another_name(zone: Zone, strong: str) -> None:
    found = finding(with_key(zone), "dkim")
    assert (found.state, found.found) == ("fail", "No key at s1")
    found = finding(with_key(with_key(zone), strong, selector="k1"), "dkim")
    assert found.state == "fail" and "there is one at k1" in found.fix
    found = finding(with_key(zone), "dkim", selectors=[])
    assert found.state == "unknown" and "Write below" in found.fix
    assert finding(zone, "dkim", selectors=[]).state == "good", "found under a name that the service usually takes"
    found = finding(zone, "dkim", selectors=["s1", "s2"])
    assert (found.state, found.name) == ("warn", f"s2._domainkey.{DOMAIN}")


@pytest.mark.parametrize(
    ("text", "state", "words"),
    [
        (WEAK, "fail", "512 bits"),
        ("v=DKIM1; p=", "fail", "revoked"),
        ("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC", "fail", "cut off or mistyped"),
        ("v=DKIM1; k=rsa; p=%%%", "fail", "cut off or mistyped"),
        ("v=DKIM2; p=MIIB", "fail", "not DKIM1"),
    ],
)
def test_dkim_keys_that_do_not_work(zone: Zone, text: str, state: str, words: str) -> None:
    found = finding(with_key(zone, text), "dkim")
    assert found.state == state and words in found.found, found


def test_dkim_keys_that_work_though_they_could_be_better(zone: Zone, fair: str, strong: str) -> None:
    found = finding(with_key(zone, fair), "dkim")
    assert found.state == "warn" and "1024 bits" in found.found and "2048" in found.fix
    assert finding(with_key(zone, strong.replace("k=rsa", "k=rsa; t=y")), "dkim").state == "warn"
    assert finding(with_key(zone, strong, fair), "dkim").state == "fail", "two at one name"
    pure = base64.b64encode(
        ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    ).decode()
    both = with_key(zone, f"v=DKIM1; k=ed25519; p={pure}", selector="s2")
    assert finding(both, "dkim", selectors=["s1", "s2"]).state == "good"
    found = finding(both, "dkim", selectors=["s2"])
    assert found.state == "warn" and "RSA key as well" in found.fix


def test_the_age_of_a_key_counts_from_when_it_was_first_seen(zone: Zone, strong: str) -> None:
    first = report(zone)
    old = {print_of: (NOW.date() - timedelta(days=366)).isoformat() for print_of in first.since}
    later = report(zone, seen=old)
    assert later.since == old
    found = next(one for one in later.findings if one.check == "dkim")
    assert found.state == "warn" and "366 days at least" in found.found
    changed = report(with_key(zone, key_record(2048)), seen=old)
    assert set(changed.since.values()) == {NOW.date().isoformat()}
    assert date.fromisoformat(next(iter(changed.since.values()))) == NOW.date()


# --- DMARC, return path, MX, blocklists ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "state", "words"),
    [
        (("v=DMARC1; p=reject; rua=mailto:a@acme.example",), "good", ""),
        (("v=DMARC1;p=none;rua=mailto:a@acme.example",), "warn", "only watches"),
        (("v=DMARC1; p=reject",), "warn", "Nobody gets reports"),
        (("v=DMARC1; rua=mailto:a@acme.example",), "fail", "p= has to be"),
        (("v=DMARC1; p=refuse",), "fail", "p= has to be"),
        (("v=DMARC1; p=none", "v=DMARC1; p=reject"), "fail", "one only"),
        (("p=reject; v=DMARC1",), "fail", "Publish a TXT record"),
        ((), "fail", "Publish a TXT record"),
    ],
)
def test_dmarc(zone: Zone, texts: tuple[str, ...], state: str, words: str) -> None:
    zone[f"_dmarc.{DOMAIN}", "TXT"] = texts
    found = finding(zone, "dmarc")
    assert found.state == state and words in found.fix, found


@pytest.mark.parametrize(
    ("above", "state"), [("p=reject", "good"), ("p=reject; sp=none", "warn"), ("p=none; sp=reject", "good")]
)
def test_the_policy_of_the_domain_above_counts_where_there_is_none(zone: Zone, above: str, state: str) -> None:
    del zone[f"_dmarc.{DOMAIN}", "TXT"]
    zone["_dmarc.acme.example", "TXT"] = (f"v=DMARC1; {above}; rua=mailto:a@acme.example",)
    found = finding(zone, "dmarc")
    assert (found.state, found.name) == (state, "_dmarc.acme.example")


def test_the_return_path(zone: Zone) -> None:
    assert finding(zone, "return_path", bounces="").state == "warn", "bounces go to SendGrid's own domain"
    assert finding(zone, "return_path", bounces="", habits=[]).state == "good"
    assert finding(zone, "return_path", bounces=f"none.{DOMAIN}").state == "warn"
    other: Zone = {**zone, ("bounces.other.example", "MX"): ("10 x.",)}
    found = finding(other, "return_path", bounces="bounces.other.example")
    assert found.state == "warn" and "does not speak for" in found.fix


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("acme.com", "acme.com", True),
        ("b.acme.com", "acme.com", True),
        ("acme.com", "mail.acme.com", True),
        ("b.acme.com", "m.acme.com", True),
        ("acme.com", "other.com", False),
        ("b.acme.co.uk", "m.acme.co.uk", True),
        ("acme.co.uk", "other.co.uk", False),
    ],
)
def test_which_domains_belong_together(one: str, other: str, together: bool) -> None:
    assert dns_rules.aligned(one, other) is together


def test_mx(zone: Zone) -> None:
    del zone[DOMAIN, "MX"]
    assert finding(zone, "mx").state == "warn"
    assert finding({**zone, (DOMAIN, "MX"): ("0 .",)}, "mx").state == "warn"


def test_blocklists(zone: Zone) -> None:
    zone[DOMAIN, "TXT"] = ("v=spf1 include:sendgrid.net ip4:192.0.2.7 ~all",)
    listed: Zone = {**zone, (f"{DOMAIN}.dbl.spamhaus.org", "A"): ("127.0.1.2",)}
    found = finding(listed, "blocklists", bounces="")
    assert (found.state, found.found) == ("fail", f"{DOMAIN} is on Spamhaus DBL")
    assert not report(listed).fails, "somebody else's list stops nothing"
    by_address: Zone = {**zone, ("7.2.0.192.zen.spamhaus.org", "A"): ("127.0.0.2",)}
    assert "192.0.2.7 is on Spamhaus ZEN" in finding(by_address, "blocklists", bounces="").found
    by_policy: Zone = {**zone, ("7.2.0.192.zen.spamhaus.org", "A"): ("127.0.0.10",)}
    assert finding(by_policy, "blocklists", bounces="").state == "fail", (
        "not what a refused question is answered with, 127.0.0.1"
    )
    refused: Zone = {**zone, (f"{DOMAIN}.dbl.spamhaus.org", "A"): ("127.255.255.254",)}
    found = finding(refused, "blocklists")
    assert found.state == "good" and "Spamhaus DBL did not answer" in found.found
    every = {(f"{DOMAIN}.{name}", "A"): ("127.255.255.254",) for name in dns_rules.DOMAIN_LISTS}
    assert finding({**zone, **every}, "blocklists").state == "unknown"


def test_what_dns_does_not_tell_is_unknown_and_stops_nothing(zone: Zone) -> None:
    found = report(zone, silent="example", selectors=[])
    assert {one.state for one in found.findings if one.check in dns_rules.NEEDED} == {"unknown"}
    assert found.is_silent and not found.fails
