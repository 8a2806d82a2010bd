"""Judge what DNS says of a domain that mail is sent from: what was found, what is expected, and how to put it right.

Pure but for what it is handed to ask with: ``ask(name, type)`` returns an ``Answer``. Sources: RFC 7208 (SPF),
6376 and 8301 (DKIM and its keys), 7489 and its successor's tree walk (DMARC), 7505 (null MX), 5782 (blocklists), and
what Gmail and Yahoo ask of those who send in bulk: SPF, DKIM and DMARC.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key


class State(StrEnum):
    """How a check went. ``UNKNOWN``: DNS did not answer, or we cannot know what to look for."""

    GOOD = "good"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a name: its records of one type, none where there are none. ``error``: it did not answer."""

    records: tuple[str, ...] = ()
    error: str = ""


Ask = Callable[[str, str], Answer]

SPF, DKIM, DMARC, RETURN_PATH, MX, BLOCKLISTS = "spf", "dkim", "dmarc", "return_path", "mx", "blocklists"
TITLES = {
    SPF: "SPF: who may send for the domain",
    DKIM: "DKIM: the signature on each mail",
    DMARC: "DMARC: what becomes of forged mails",
    RETURN_PATH: "Return path: where bounces go",
    MX: "MX: where answers go",
    BLOCKLISTS: "Blocklists",
}
# Without these the big mailbox providers refuse what is sent in bulk: marketing waits while one of them fails.
NEEDED = frozenset({SPF, DKIM, DMARC})


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``check`` is a key of TITLES; ``name`` is the name in DNS that it is about."""

    check: str
    state: str
    name: str
    found: str
    expected: str = ""
    fix: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.check]


@dataclass(frozen=True, slots=True)
class Habits:
    """How a mail service signs and sends: names of its keys, what SPF includes for it, where its bounces go.

    ``return_path`` is a domain of the service's own, where it uses one until the customer sets up theirs.
    """

    selectors: tuple[str, ...] = ()
    include: str = ""
    return_path: str = ""


HABITS: dict[str, Habits] = {
    "sendgrid": Habits(("s1", "s2", "smtpapi"), "sendgrid.net", "sendgrid.net"),
    "postmark": Habits(("pm",), "spf.mtasv.net", "pm.mtasv.net"),
    "mailgun": Habits(("mx", "k1", "smtp", "pic", "mailo"), "mailgun.org"),
    "amazon_ses": Habits((), "amazonses.com", "amazonses.com"),
    "brevo": Habits(("brevo1", "brevo2", "mail"), "spf.brevo.com", "mailin.fr"),
    "resend": Habits(("resend",), "amazonses.com"),
    "mailjet": Habits(("mailjet",), "spf.mailjet.com", "mailjet.com"),
    "mandrill": Habits(("mte1", "mte2", "mandrill"), "spf.mandrillapp.com", "mandrillapp.com"),
    "sparkpost": Habits((), "_spf.sparkpostmail.com", "sparkpostmail.com"),
    "mailersend": Habits(("mlsend2", "mlsend"), "_spf.mailersend.net"),
    "mailtrap": Habits(("rwmt1", "rwmt2"), "_spf.smtp.mailtrap.live"),
    "scaleway": Habits((), "_spf.tem.scaleway.com"),
    "unisender_go": Habits(("us",), "spf.unisender.com"),
}
USUAL_SELECTORS = (
    "default",
    "dkim",
    "mail",
    "selector1",
    "selector2",
    "google",
    "s1",
    "s2",
    "k1",
    "k2",
    "key1",
    "smtp",
)


# --- SPF -------------------------------------------------------------------------------------------------------------

MAX_LOOKUPS = 10
# Longer TXT records do not fit into a plain DNS answer together with what else stands at the name.
LONG = 450
TERM = re.compile(r"([+\-~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:[:/](.*))?", re.IGNORECASE)
MODIFIER = re.compile(r"(redirect|exp|[a-z][\w.\-]*)=(.*)", re.IGNORECASE)


class _Broken(Exception):
    """A record that receivers give up on (permerror)."""


class _Silent(Exception):
    """DNS did not answer."""


@dataclass(slots=True)
class _Walk:
    """What following an SPF record came across."""

    ask: Ask
    lookups: int = 0
    included: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)

    def follow(self, domain: str, record: str, above: tuple[str, ...] = ()) -> None:
        for term in record.split()[1:]:
            self._term(domain, term, above)

    def _term(self, domain: str, term: str, above: tuple[str, ...]) -> None:
        mechanism, modifier = TERM.fullmatch(term), MODIFIER.fullmatch(term)
        if mechanism is None and modifier is None:
            raise _Broken(f"“{term}” is nothing that SPF knows")
        kind, value = (mechanism[2], mechanism[3] or "") if mechanism else (modifier[1], modifier[2])  # type: ignore[index]
        kind = kind.lower()
        if kind in ("include", "redirect"):
            self._include(value.lower().rstrip("."), (*above, domain))
        elif kind in ("a", "mx", "ptr", "exists"):
            self.lookups += 1
        elif kind in ("ip4", "ip6"):
            self._address(kind, value, term)

    def _include(self, target: str, above: tuple[str, ...]) -> None:
        self.lookups += 1
        if "%" in target:
            return
        if not target or target in above:
            raise _Broken(f"it includes {target or 'nothing'} within itself")
        self.included.add(target)
        # Far beyond the limit nothing more is to be learnt.
        if self.lookups > 3 * MAX_LOOKUPS:
            return
        records, error = _spf_records(target, self.ask)
        if error:
            raise _Silent(error)
        if not records:
            raise _Broken(f"it includes {target}, which has no SPF record")
        if len(records) > 1:
            raise _Broken(f"it includes {target}, which has {len(records)} SPF records")
        self.follow(target, records[0], above)

    def _address(self, kind: str, value: str, term: str) -> None:
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise _Broken(f"“{term}” is no address") from None
        if network.version != (4 if kind == "ip4" else 6):
            raise _Broken(f"“{term}” is an address of the other kind")
        if network.num_addresses == 1:
            self.addresses.append(str(network.network_address))


def _spf_records(domain: str, ask: Ask) -> tuple[list[str], str]:
    answer = ask(domain, "TXT")
    return [text for text in answer.records if re.match(r"v=spf1(\s|$)", text, re.IGNORECASE)], answer.error


def spf(domain: str, ask: Ask, habits: Sequence[Habits] = ()) -> Finding:
    """Judge the SPF record of the domain that bounces go to, or else that mails are from."""
    includes = sorted({habit.include for habit in habits if habit.include})
    expected = " ".join(["v=spf1", *(f"include:{name}" for name in includes), "~all"])
    if not includes:
        expected = "v=spf1 include:… ~all (your provider says what to include)"
    records, error = _spf_records(domain, ask)
    if error:
        return Finding(SPF, State.UNKNOWN, domain, error, expected)
    if not records:
        return _no_spf(domain, expected, habits)
    found = "\n".join(records)
    if len(records) > 1:
        fix = f"There may be one only: receivers give up on {len(records)}. Delete them, and publish this one instead."
        return Finding(SPF, State.FAIL, domain, found, _merged(records), fix)
    walk = _Walk(ask)
    try:
        walk.follow(domain, records[0])
    except _Broken as broken:
        return Finding(SPF, State.FAIL, domain, found, expected, f"Receivers give up on this record: {broken}.")
    except _Silent as silent:
        return Finding(SPF, State.UNKNOWN, domain, found, expected, str(silent))
    return _spf_of(domain, records[0], walk, includes)


def _no_spf(domain: str, expected: str, habits: Sequence[Habits]) -> Finding:
    fix = f"Publish a TXT record at {domain} with this text."
    elsewhere = [habit.return_path for habit in habits if habit.return_path]
    if habits and len(elsewhere) == len(habits):
        fix += f" It is not urgent: bounces go to {elsewhere[0]}, and SPF is asked there."
        return Finding(SPF, State.WARN, domain, "No SPF record", expected, fix)
    return Finding(SPF, State.FAIL, domain, "No SPF record", expected, fix)


def _merged(records: Sequence[str]) -> str:
    """Return one record that allows what all of them allow, as strict as the mildest; but nothing lets in everybody."""
    terms = [term for record in records for term in record.split()[1:]]
    ends = {term.lower() for term in terms if _is_end(term)}
    others = dict.fromkeys(term for term in terms if not _is_end(term))
    return " ".join(["v=spf1", *others, "-all" if ends == {"-all"} else "~all"])


def _is_end(term: str) -> bool:
    return term.lower().lstrip("+-~?") == "all"


def _including(record: str, name: str) -> str:
    """Return the record with what it lacks, before it speaks of everybody else."""
    terms = record.split()
    at = next((place for place, term in enumerate(terms) if _is_end(term) or "redirect=" in term.lower()), len(terms))
    return " ".join([*terms[:at], f"include:{name}", *terms[at:]])


def _spf_of(domain: str, record: str, walk: _Walk, includes: Sequence[str]) -> Finding:
    """Judge one record that can be read."""
    if walk.lookups > MAX_LOOKUPS:
        fix = (
            f"It takes {walk.lookups} look-ups, and receivers give up after {MAX_LOOKUPS}. Take out what you no longer "
            "use, or give each service a subdomain of its own to send from."
        )
        return Finding(SPF, State.FAIL, domain, record, f"At most {MAX_LOOKUPS} look-ups", fix)
    end = next((term for term in record.lower().split() if _is_end(term)), "")
    if end in ("all", "+all"):
        fix = "“+all” lets anybody send in your name. Change the end to ~all."
        return Finding(SPF, State.FAIL, domain, record, re.sub(r"\+?all\s*$", "~all", record), fix)
    if len(record) > LONG:
        fix = f"With {len(record)} characters it may not fit into an answer, and then it is as if there were none."
        return Finding(SPF, State.WARN, domain, record, f"Fewer than {LONG} characters", fix)
    missing = [name for name in includes if name not in walk.included]
    if missing:
        fix = f"It does not include {missing[0]}, by which you send. Add it unless bounces go elsewhere."
        return Finding(SPF, State.WARN, domain, record, _including(record, missing[0]), fix)
    if end == "?all" or (not end and "redirect=" not in record.lower()):
        fix = "It says nothing about everybody else. End it with ~all."
        return Finding(SPF, State.WARN, domain, record, f"{record.removesuffix('?all').strip()} ~all", fix)
    note = "~all asks receivers to be suspicious of others, and DMARC decides: that is as it should be."
    return Finding(SPF, State.GOOD, domain, record, fix=note if end == "~all" else "")


# --- DKIM ------------------------------------------------------------------------------------------------------------

LEAST_BITS, ADVISED_BITS = 1024, 2048
OLD_AFTER_DAYS = 365


@dataclass(frozen=True, slots=True)
class Key:
    """A DKIM key as it is published. ``problem`` is what makes it useless, "" for one that works."""

    selector: str
    found: str
    algorithm: str = "rsa"
    bits: int = 0
    fingerprint: str = ""
    testing: bool = False
    problem: str = ""


def keys(domain: str, selectors: Collection[str], ask: Ask) -> tuple[list[Key], str]:
    """Return the keys that are published under these names, and what DNS said where it did not answer."""
    found, error = [], ""
    for selector in selectors:
        answer = ask(f"{selector}._domainkey.{domain}", "TXT")
        error = error or answer.error
        texts = [text for text in answer.records if _is_key(text)]
        if len(texts) > 1:
            problem = f"There are {len(texts)} records at one name: receivers take none of them"
            found.append(Key(selector, "\n".join(texts), problem=problem))
        elif texts:
            found.append(read_key(selector, texts[0]))
    return found, error


def _is_key(text: str) -> bool:
    tags = _tags(text)
    return "p" in tags or tags.get("v", "").upper() == "DKIM1"


def read_key(selector: str, text: str) -> Key:
    """Return what a key record says."""
    tags = _tags(text)
    algorithm, testing = tags.get("k", "rsa").lower(), "y" in tags.get("t", "").split(":")
    material = re.sub(r"\s", "", tags.get("p", ""))
    if tags.get("v", "DKIM1") != "DKIM1":
        return Key(selector, text, problem=f"v={tags['v']} is not DKIM1, so receivers pass it over")
    if not material:
        return Key(selector, text, problem="The key is revoked: p= is empty")
    try:
        der = base64.b64decode(material, validate=True)
        bits = _bits(algorithm, der)
    except (binascii.Error, ValueError, TypeError):
        return Key(selector, text, algorithm, problem="The key cannot be read: it was cut off or mistyped")
    print_of = hashlib.sha256(der).hexdigest()[:32]
    problem = ""
    if algorithm == "rsa" and bits < LEAST_BITS:
        problem = f"The key has {bits} bits, and receivers take none below {LEAST_BITS}"
    return Key(selector, text, algorithm, bits, print_of, testing, problem)


def _bits(algorithm: str, der: bytes) -> int:
    if algorithm == "ed25519":
        ed25519.Ed25519PublicKey.from_public_bytes(der)
        return 256
    key = load_der_public_key(der)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("no RSA key")
    return key.key_size


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, mark, value in parts if mark}


def dkim(
    domain: str,
    named: Sequence[str],
    found: Sequence[Key],
    error: str,
    since: Mapping[str, date],
    today: date,
) -> Finding:
    """Judge the keys that were found. ``named`` are the selectors that somebody has given, ``since`` when each key was
    first seen, by fingerprint."""
    expected = f"v=DKIM1; k=rsa; p=… with {ADVISED_BITS} bits"
    name = f"{(named or ['…'])[0]}._domainkey.{domain}"
    good = [key for key in found if not key.problem]
    of_named = [key for key in good if not named or key.selector in named]
    if not of_named and error:
        return Finding(DKIM, State.UNKNOWN, name, error, expected)
    if not of_named:
        return _no_key(domain, named, found, good, expected)
    shown = "\n".join(_shown(key, since, today) for key in found)
    rsa_keys = [key for key in of_named if key.algorithm == "rsa"]
    weak = [key for key in rsa_keys if key.bits < ADVISED_BITS]
    if weak and weak == rsa_keys:
        fix = f"{weak[0].bits} bits can be broken with effort. Have your provider make a key of {ADVISED_BITS} bits."
        return Finding(DKIM, State.WARN, name, shown, expected, fix)
    if not rsa_keys:
        fix = "Not every receiver can check Ed25519: publish an RSA key as well, and have mails signed with both."
        return Finding(DKIM, State.WARN, name, shown, expected, fix)
    if any(key.testing for key in of_named):
        fix = "t=y says that you are only trying it out: receivers then do not count the signature. Take it out."
        return Finding(DKIM, State.WARN, name, shown, expected, fix)
    if missing := [selector for selector in named if selector not in {key.selector for key in good}]:
        fix = f"There is no key that works at {missing[0]}: publish it, or take the name out below."
        return Finding(DKIM, State.WARN, f"{missing[0]}._domainkey.{domain}", shown, expected, fix)
    if all(age_of(key, since, today) > OLD_AFTER_DAYS for key in of_named):
        return Finding(DKIM, State.WARN, name, shown, "A key younger than a year", "Change it, as it says below.")
    return Finding(DKIM, State.GOOD, name, shown)


def age_of(key: Key, since: Mapping[str, date], today: date) -> int:
    """Return for how many days at least a key has been published."""
    return (today - since.get(key.fingerprint, today)).days


def _shown(key: Key, since: Mapping[str, date], today: date) -> str:
    if key.problem:
        return f"{key.selector}: {key.problem}."
    days = age_of(key, since, today)
    age = f", for {days} days at least" if days else ""
    return f"{key.selector}: {key.algorithm.upper()}, {key.bits} bits{age}"


def _no_key(domain: str, named: Sequence[str], found: Sequence[Key], good: Sequence[Key], expected: str) -> Finding:
    name = f"{(named or ['…'])[0]}._domainkey.{domain}"
    broken = [key for key in found if key.problem and (not named or key.selector in named)]
    if broken:
        fix = "Publish the key again as your provider shows it, or have a new one made."
        return Finding(DKIM, State.FAIL, name, f"{broken[0].selector}: {broken[0].problem}.", expected, fix)
    if good:
        others = ", ".join(key.selector for key in good)
        fix = f"But there is one at {others}: if that is what your provider signs with, correct the name below."
        return Finding(DKIM, State.FAIL, name, f"No key at {', '.join(named)}", expected, fix)
    if named:
        fix = "Publish the record that your provider shows, or correct the name below."
        return Finding(DKIM, State.FAIL, name, f"No key at {', '.join(named)}", expected, fix)
    fix = "Write below under which names your provider signs (its page on the domain shows them), or set DKIM up there."
    return Finding(DKIM, State.UNKNOWN, name, "None of the usual names has a key", expected, fix)


# --- DMARC -----------------------------------------------------------------------------------------------------------


def dmarc(domain: str, ask: Ask) -> Finding:
    """Judge the DMARC policy: the domain's own, or else that of the nearest domain above which has one."""
    expected = f"v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
    labels = domain.split(".")
    for at in range(max(1, len(labels) - 1)):
        above = ".".join(labels[at:])
        name = f"_dmarc.{above}"
        answer = ask(name, "TXT")
        if answer.error:
            return Finding(DMARC, State.UNKNOWN, name, answer.error, expected)
        records = [text for text in answer.records if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
        if len(records) > 1:
            fix = "There may be one only: receivers take none of several. Delete all but one."
            return Finding(DMARC, State.FAIL, name, "\n".join(records), records[0], fix)
        if records:
            return _dmarc_of(name, records[0], expected, is_own=at == 0)
    fix = f"Publish a TXT record at _dmarc.{domain} with this text. Gmail and Yahoo ask for it."
    return Finding(DMARC, State.FAIL, f"_dmarc.{domain}", "No DMARC record", expected, fix)


def _dmarc_of(name: str, record: str, expected: str, *, is_own: bool) -> Finding:
    tags = _tags(record)
    policy = (tags.get("p", "") if is_own else tags.get("sp") or tags.get("p", "")).lower()
    if policy not in ("none", "quarantine", "reject"):
        fix = "p= has to be none, quarantine or reject: without it the record counts for nothing."
        return Finding(DMARC, State.FAIL, name, record, expected, fix)
    if policy == "none":
        fix = "It only watches: forged mails still arrive. When the reports are clean, change p=none to p=quarantine."
        return Finding(DMARC, State.WARN, name, record, record.replace("p=none", "p=quarantine"), fix)
    if "rua" not in tags:
        fix = "Nobody gets reports, so you will not see when your own mails fail. Add rua=mailto:…"
        return Finding(DMARC, State.WARN, name, record, f"{record.rstrip('; ')}; rua=mailto:…", fix)
    return Finding(DMARC, State.GOOD, name, record)


# --- Return path, MX, blocklists -------------------------------------------------------------------------------------


def return_path(domain: str, own: str, ask: Ask, habits: Sequence[Habits] = ()) -> Finding:
    """Judge where bounces go. ``own`` is the domain that somebody has given, "" where nobody has."""
    if not own:
        elsewhere = next((habit.return_path for habit in habits if habit.return_path), "")
        if not elsewhere:
            return Finding(RETURN_PATH, State.GOOD, domain, f"{domain}, as far as we know")
        fix = "SPF then speaks for the service and not for you, so DMARC rests on DKIM alone. Your provider calls it "
        fix += "custom return path or custom MAIL FROM; once it is set up, write its domain below."
        return Finding(RETURN_PATH, State.WARN, elsewhere, elsewhere, f"A subdomain of {domain}", fix)
    answers = [ask(own, kind) for kind in ("MX", "A")]
    if all(answer.error for answer in answers):
        return Finding(RETURN_PATH, State.UNKNOWN, own, answers[0].error)
    if not any(answer.records for answer in answers):
        fix = "Publish the records that your provider shows for it: mails whose bounces go nowhere are often refused."
        return Finding(RETURN_PATH, State.WARN, own, "No such domain takes mail", "An MX record", fix)
    if not aligned(own, domain):
        fix = f"SPF then does not speak for {domain}. Choose a subdomain of it."
        return Finding(RETURN_PATH, State.WARN, own, own, f"A subdomain of {domain}", fix)
    return Finding(RETURN_PATH, State.GOOD, own, own)


def aligned(one: str, other: str) -> bool:
    """Return whether two domains belong together for DMARC: one above the other, or sisters below more than a suffix.

    What a suffix is we do not know for certain, so sisters have to share two labels.
    """
    if one == other or one.endswith(f".{other}") or other.endswith(f".{one}"):
        return True
    shared = 0
    for mine, theirs in zip(reversed(one.split(".")), reversed(other.split(".")), strict=False):
        if mine != theirs:
            break
        shared += 1
    return shared >= 2 and min(len(one.split(".")), len(other.split("."))) > shared and not _is_short(one, shared)


def _is_short(domain: str, labels: int) -> bool:
    """Guess whether the last labels are a public suffix, such as co.uk: two of them, and both short."""
    last = domain.split(".")[-labels:]
    return labels == 2 and all(len(label) <= 3 for label in last)


def mx(domain: str, ask: Ask) -> Finding:
    """Judge whether answers to the sender arrive."""
    answer = ask(domain, "MX")
    expected = "10 mail.example.com, the server that takes your mail"
    if answer.error:
        return Finding(MX, State.UNKNOWN, domain, answer.error, expected)
    if not answer.records:
        fix = "Who answers gets an error, and some receivers trust such senders less. Publish an MX record, or set a "
        fix += "reply-to address and let it be."
        return Finding(MX, State.WARN, domain, "No MX record", expected, fix)
    shown = "\n".join(sorted(answer.records))
    if any(record.split()[-1] == "." for record in answer.records):
        fix = "“.” says that the domain takes no mail at all: some receivers refuse its mails for that."
        return Finding(MX, State.WARN, domain, shown, expected, fix)
    return Finding(MX, State.GOOD, domain, shown)


# Of domains, and of addresses: the zone, whose it is, and answers that mean “we do not tell you” instead of “listed”.
DOMAIN_LISTS = {"dbl.spamhaus.org": "Spamhaus DBL", "multi.surbl.org": "SURBL", "multi.uribl.com": "URIBL"}
ADDRESS_LISTS = {"zen.spamhaus.org": "Spamhaus ZEN", "bl.spamcop.net": "SpamCop", "b.barracudacentral.org": "Barracuda"}
NOT_TOLD = re.compile(r"127\.255\.255\.\d+|127\.0\.0\.1")
MOST_ADDRESSES = 4


def blocklists(domain: str, addresses: Sequence[str], ask: Ask) -> Finding:
    """Ask blocklists about the domain, and about the addresses that its SPF record names one by one (IPv4)."""
    fours = [address for address in addresses if ":" not in address][:MOST_ADDRESSES]
    asked = [(f"{domain}.{zone}", name, domain) for zone, name in DOMAIN_LISTS.items()]
    for address in fours:
        backwards = ".".join(reversed(address.split(".")))
        asked += [(f"{backwards}.{zone}", name, address) for zone, name in ADDRESS_LISTS.items()]
    listed, silent = [], set()
    for name, of, subject in asked:
        answer = ask(name, "A")
        if answer.error or any(NOT_TOLD.fullmatch(record) for record in answer.records):
            silent.add(of)
        elif answer.records:
            listed.append(f"{subject} is on {of}")
    if listed:
        fix = "Find out why (the list's page tells), mend that, then ask there to be taken off."
        return Finding(BLOCKLISTS, State.FAIL, domain, "\n".join(listed), "On no list", fix)
    if len(silent) == len({of for _, of, _ in asked}):
        fix = "Lists answer no name server that everybody may use: let this machine use one of your own (DNS_SERVERS)."
        return Finding(BLOCKLISTS, State.UNKNOWN, domain, "No list answered", "On no list", fix)
    told = f", and {', '.join(sorted(silent))} did not answer" if silent else ""
    return Finding(BLOCKLISTS, State.GOOD, domain, f"On no list{told}")


# --- All together ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about a domain, and its keys with when each was first seen (ISO dates by fingerprint)."""

    findings: Sequence[Finding]
    keys: Sequence[Key]
    since: Mapping[str, str]

    @property
    def fails(self) -> bool:
        """Whether something fails without which marketing waits."""
        return any(one.state == State.FAIL for one in self.findings if one.check in NEEDED)

    @property
    def is_silent(self) -> bool:
        """Whether DNS told nothing of what marketing needs."""
        return all(one.state == State.UNKNOWN for one in self.findings if one.check in NEEDED)


def examine(
    domain: str,
    ask: Ask,
    now: datetime,
    *,
    selectors: Sequence[str] = (),
    bounces: str = "",
    habits: Sequence[Habits] = (),
    seen: Mapping[str, str] | None = None,
) -> Report:
    """Look at everything. ``selectors`` and ``bounces`` (the return path) are as somebody has given them, ``seen`` is
    ``Report.since`` of the last look."""
    tried = [*selectors, *(name for habit in habits for name in habit.selectors), *USUAL_SELECTORS]
    found, error = keys(domain, dict.fromkeys(tried), ask)
    today = now.date()
    since = {key.fingerprint: (seen or {}).get(key.fingerprint, today.isoformat()) for key in found if key.fingerprint}
    ages = {print_of: date.fromisoformat(day) for print_of, day in since.items()}
    walk = _Walk(ask)
    sender = bounces or domain
    records, _ = _spf_records(sender, ask)
    if len(records) == 1:
        with suppress(_Broken, _Silent):
            walk.follow(sender, records[0])
    findings = [
        spf(sender, ask, habits),
        dkim(domain, list(selectors), found, error, ages, today),
        dmarc(domain, ask),
        return_path(domain, bounces, ask, habits),
        mx(domain, ask),
        blocklists(domain, walk.addresses, ask),
    ]
    return Report(findings, found, since)
