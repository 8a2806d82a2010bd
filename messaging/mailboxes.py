"""Who keeps the mailboxes of an address: the big providers by name, everybody else as “others”. Pure.

``LIMITS`` are the shares of bounces and spam reports that they publish, or that the big mail services ask for where a
provider publishes none.
"""

from __future__ import annotations

from dataclasses import dataclass

OTHERS = "others"

NAMES: dict[str, tuple[str, ...]] = {
    "Gmail": ("gmail.com", "googlemail.com"),
    "Yahoo": (
        *("yahoo.com", "yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.com.br"),
        *("yahoo.co.in", "yahoo.in", "yahoo.com.au", "ymail.com", "rocketmail.com", "aol.com", "aol.co.uk", "aim.com"),
    ),
    "Microsoft": (
        *("outlook.com", "outlook.de", "outlook.fr", "outlook.es", "outlook.it", "hotmail.com", "hotmail.co.uk"),
        *("hotmail.de", "hotmail.fr", "hotmail.it", "hotmail.es", "live.com", "live.co.uk", "live.de", "live.fr"),
        *("live.nl", "live.it", "msn.com", "passport.com"),
    ),
    "Apple": ("icloud.com", "me.com", "mac.com"),
    "GMX and WEB.DE": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
    "T-Online": ("t-online.de", "magenta.de"),
    "Orange": ("orange.fr", "wanadoo.fr"),
    "SFR": ("sfr.fr", "neuf.fr"),
    "Free": ("free.fr",),
    "Libero": ("libero.it", "virgilio.it"),
    "Proton": ("proton.me", "protonmail.com", "pm.me"),
    "Fastmail": ("fastmail.com", "fastmail.fm"),
    "Comcast": ("comcast.net", "xfinity.com"),
    "AT&T": ("att.net", "sbcglobal.net", "bellsouth.net"),
    "Verizon": ("verizon.net",),
    "BT": ("btinternet.com", "bt.com"),
    "Ziggo": ("ziggo.nl", "home.nl"),
    "KPN": ("kpnmail.nl", "planet.nl", "xs4all.nl"),
    "Bluewin": ("bluewin.ch",),
    "A1": ("a1.net", "aon.at", "chello.at"),
    "WP": ("wp.pl", "o2.pl"),
    "Onet": ("onet.pl", "onet.eu"),
    "Seznam": ("seznam.cz", "email.cz"),
    "Mail.ru": ("mail.ru", "inbox.ru", "list.ru", "bk.ru"),
    "Yandex": ("yandex.ru", "yandex.com", "ya.ru"),
    "QQ": ("qq.com", "foxmail.com"),
    "NetEase": ("163.com", "126.com", "yeah.net"),
    "Naver": ("naver.com",),
    "Rediff": ("rediffmail.com",),
    "UOL": ("uol.com.br", "bol.com.br"),
    "Zoho": ("zoho.com", "zohomail.com"),
}
BY_DOMAIN = {domain: name for name, domains in NAMES.items() for domain in domains}


@dataclass(frozen=True, slots=True)
class Limit:
    """Shares in per cent: where it begins to be bad, and where it is too much. ``source`` says who says so."""

    aim: float
    most: float
    source: str


GOOGLE = Limit(0.1, 0.3, "Gmail, guidelines for senders: stay below 0.1 %, never reach 0.3 %")
YAHOO = Limit(0.1, 0.3, "Yahoo, best practices for senders: stay below 0.3 %")
MICROSOFT = Limit(0.1, 0.3, "Microsoft publishes none; what Gmail and Yahoo ask is taken")
ANYBODY = Limit(0.1, 0.5, "No limit is published; mail services look into accounts from 0.1 % and stop them at 0.5 %")
COMPLAINTS = {"Gmail": GOOGLE, "Yahoo": YAHOO, "Microsoft": MICROSOFT}
BOUNCES = Limit(2.0, 5.0, "No mailbox provider publishes one; mail services look into accounts from 5 %")


def of(address: str) -> str:
    """Return who keeps the mailbox of ``address``."""
    return BY_DOMAIN.get(address.rpartition("@")[2].lower(), OTHERS)


def complaints_at(name: str) -> Limit:
    """Return the limit for spam reports at a mailbox provider."""
    return COMPLAINTS.get(name, ANYBODY)
