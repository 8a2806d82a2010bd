"""Tell opens and clicks of programs from those of people. Pure.

Apple's Mail Privacy Protection loads the pictures of every mail through proxies that call themselves just Mozilla/5.0;
security gateways follow every link before the mail is delivered. Gmail's and Yahoo's proxies load pictures when the
person opens the mail, so those count as theirs.
"""

from __future__ import annotations

import re
from collections.abc import Collection

# What programs call themselves that look at mails for somebody.
SCANNERS = re.compile(
    r"barracuda|proofpoint|mimecast|symantec|messagelabs|trend ?micro|forcepoint|fireeye|cisco|ironport|sophos|"
    r"safelinks|defender|virustotal|urlscan|bitdefender|kaspersky|zscaler|checkpoint|"
    r"bot\b|crawler|spider|headless|phantom|selenium|"
    r"python-|python/|curl/|wget/|go-http-client|java/|okhttp|libwww|axios|node-fetch|apache-httpclient|ruby",
    re.IGNORECASE,
)
# What a mail program calls itself that hides who it is.
PRIVATE = {"Mozilla/5.0"}
# So many different links within so many seconds: a program that follows all of them.
MANY_LINKS, WITHIN = 4, 5.0

WORDS = {
    "apple_privacy": "Apple's privacy proxy, which loads every mail",
    "provider_says": "a program, as the provider says",
    "scanner": "a scanner of links and mails",
    "all_links": "a program that followed many links at once",
    "no_name": "a program that does not say what it is",
}


def verdict(kind: str, user_agent: str, *, said: bool = False, own: bool = False) -> str:
    """Return why an open or a click was a program's, a key of WORDS; "" where it seems to be a person's.

    ``said``: the provider says that it was a program. ``own``: our own pixel or redirect heard it, which every browser
    and mail program tells its name. How soon it came says nothing sure: reports come late and in any order.
    """
    if kind not in ("opened", "clicked"):
        return ""
    if said:
        return "provider_says"
    agent = user_agent.strip()
    if kind == "opened" and agent in PRIVATE:
        return "apple_privacy"
    if SCANNERS.search(agent):
        return "scanner"
    if own and not agent:
        return "no_name"
    return ""


def follows_all(moments: Collection[tuple[float, str]]) -> bool:
    """Say whether clicks (seconds and address) are those of a program that follows every link."""
    ordered = sorted(moments)
    for start, (at, _) in enumerate(ordered):
        if len({url for moment, url in ordered[start:] if moment - at <= WITHIN}) >= MANY_LINKS:
            return True
    return False
