"""What is known of the large providers: where their POP3 servers are, and what works there.

Data, and how to find a piece of it. Nobody's server is asked here.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from pop3frames.errors import POP3UsageError


@dataclass(frozen=True)
class Preset:
    """One provider.

    hostname, port, encryption, auth   as POP3ProtocolHandler takes them; auth None: by what is offered
    credentials     which credentials work today
    quirks          what differs there from other servers, one sentence each
    documented      where the provider says so: for hostname, port, encryption and credentials
    hearsay         which of the above stands in no provider's document: reports and other programs' sources
    domains         address domains of this provider, as regular expressions for the whole domain
    recent_prefix   put before the user name it shows recent mail again, popped or not; empty: no such thing

    None of it was tried with a live account of ours.
    """

    name: str
    hostname: str
    port: int
    encryption: Literal["ssl", "tls"]
    auth: Literal["XOAUTH2"] | None
    credentials: str
    quirks: tuple[str, ...] = ()
    documented: str = ""
    hearsay: str = ""
    domains: tuple[str, ...] = ()
    recent_prefix: str = ""

    def recent_username(self, username: str) -> str:
        """The user name that shows recent mail again, popped or not. POP3UsageError where there is none."""
        if not self.recent_prefix:
            raise POP3UsageError(f"{self.name} has no user name for recent mail")
        return self.recent_prefix + username.removeprefix(self.recent_prefix)


_MICROSOFT_QUIRKS = (
    "The token must be sent in two steps: AUTH XOAUTH2, then the token in a line of its own.",
    "POP is off until it is switched on for the mailbox.",
    "Fetching a mail (RETR) marks it as read.",
    "Tokens of more than 4,096 characters were reported as refused.",
)

PRESETS = {
    each.name: each
    for each in (
        Preset(
            "gmail",
            "pop.gmail.com",
            995,
            "ssl",
            None,
            "an app password (needs 2-step verification), or an OAuth2 token with the scope "
            "https://mail.google.com/; the account's own password is not accepted any more",
            quirks=(
                "A session shows only about the 250 oldest conversations that were not popped yet: repeat "
                "sessions until none is left.",
                "What was fetched is gone from later listings after QUIT, without any DELE (EXPIRE 0); the "
                "account's settings decide what becomes of it. Set them to keep Gmail's copy first.",
                "A unique-id missing from a listing does not mean that the mail was deleted.",
                "LOGIN-DELAY 300: five minutes from one login to the next.",
                "The user name recent:NAME shows the last 30 days, popped or not.",
                "POP must be switched on in the settings; spam and trash are never shown.",
                "PIPELINING is announced only after the login.",
            ),
            documented="support.google.com/mail/answer/7104828",
            hearsay="the number of conversations, LOGIN-DELAY, EXPIRE 0, and when PIPELINING is announced",
            domains=(r"gmail\.com", r"googlemail\.com"),
            recent_prefix="recent:",
        ),
        Preset(
            "outlook",
            "outlook.office365.com",
            995,
            "ssl",
            "XOAUTH2",
            "an OAuth2 token with the scope https://outlook.office.com/POP.AccessAsUser.All; passwords and "
            "app passwords ended in September 2024",
            quirks=_MICROSOFT_QUIRKS,
            documented="support.microsoft.com: POP, IMAP, and SMTP settings for Outlook.com",
            hearsay="all quirks but the switch",
            domains=(r"(outlook|hotmail|live)\.(com?\.)?[a-z]{2,3}", r"msn\.com"),
        ),
        Preset(
            "microsoft365",
            "outlook.office365.com",
            995,
            "ssl",
            "XOAUTH2",
            "an OAuth2 token with the scope https://outlook.office.com/POP.AccessAsUser.All, or of a daemon "
            "with https://outlook.office365.com/.default; passwords ended in October 2022",
            quirks=_MICROSOFT_QUIRKS,
            documented="learn.microsoft.com: Authenticate an IMAP, POP or SMTP connection using OAuth",
            hearsay="all quirks but the switch",
            domains=(r"[a-z0-9-]+\.onmicrosoft\.com",),
        ),
        Preset(
            "yahoo",
            "pop.mail.yahoo.com",
            995,
            "ssl",
            None,
            "an app password; OAuth2 only by agreement with Yahoo",
            documented="help.yahoo.com: POP access settings",
            hearsay="that OAuth2 needs an agreement",
            domains=(r"yahoo\.(?!co\.jp$)(com?\.)?[a-z]{2,3}", r"ymail\.com", r"rocketmail\.com"),
        ),
        Preset(
            "aol",
            "pop.aol.com",
            995,
            "ssl",
            None,
            "an app password",
            documented="help.aol.com: POP and IMAP settings",
            hearsay="that it behaves as Yahoo does, whose service it is",
            domains=(r"aol\.com", r"aim\.com"),
        ),
        Preset(
            "fastmail",
            "pop.fastmail.com",
            995,
            "ssl",
            None,
            "an app password; the account's own password is refused",
            quirks=(
                "Only the inbox is shown; NAME+FOLDER@fastmail.com as user name shows another folder.",
                "STLS is not offered.",
            ),
            documented="www.fastmail.com/help/technical/servernamesandports.html",
            domains=(r"fastmail\.(com|fm|net|org|co\.uk|de|jp)",),
        ),
        Preset(
            "generic",
            "",
            995,
            "ssl",
            None,
            "a password, as whoever runs the server says; give the host name, and a private CA by cafile=",
        ),
    )
}

_WITHOUT_POP = {"icloud": "iCloud Mail has no POP3 server: Apple offers IMAP only"}


def preset(name: str) -> Preset:
    """The provider of that name. POP3UsageError with the names there are, and the nearest."""
    key = name.strip().lower()
    if key in _WITHOUT_POP:
        raise POP3UsageError(_WITHOUT_POP[key])
    if key not in PRESETS:
        near = difflib.get_close_matches(key, PRESETS, 1)
        meant = f": did you mean {near[0]!r}?" if near else ""
        raise POP3UsageError(f"no preset of that name{meant}; there are {', '.join(PRESETS)}")
    return PRESETS[key]


def suggested_preset(address: str) -> Preset | None:
    """The provider of a mail address, by its domain; None where that says nothing, as with a firm's own."""
    domain = address.rpartition("@")[2].strip().lower()
    for each in PRESETS.values():
        if any(re.fullmatch(pattern, domain) for pattern in each.domains):
            return each
    return None
