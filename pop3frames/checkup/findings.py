"""Rows of a check-up: which checks there are, how each ended, and how rows are collected.

What is looked at, and what it means, is in `doctor.py`, `checkups.py` and `soundings.py`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from pop3frames.client.credentials import Secret
from pop3frames.errors import POP3CommandError, POP3Error, POP3ProtocolError, printable
from pop3frames.protocol import sasl

Verdict = Literal["ok", "note", "warning", "problem", "skipped"]

SEVERITY: tuple[Verdict, ...] = ("skipped", "ok", "note", "warning", "problem")

# Every check-up has one row for each, in this order.
CHECKS = (
    "reach",
    "greeting",
    "tls",
    "certificate",
    "stls",
    "capabilities",
    "plaintext login",
    "mechanisms",
    "login",
    "capabilities after login",
    "response codes",
    "login delay",
    "expire",
    "implementation",
    "utf8",
    "mailbox",
    "list",
    "oversized",
    "uidl",
    "framing",
    "top",
    "retr",
    "sizes",
    "octets",
    "top against retr",
    "round trip",
    "second session",
    "uidl stable",
    "pipelining",
    "export",
)

_LONGEST = 1000
WITHHELD = "(not shown: it repeats the password)"


@dataclass(frozen=True)
class Check:
    """One row: what was looked at, how it is, what was seen, what that means for an export.

    `finding` and `meaning` can be shown anywhere: what a server said appears in them only escaped, and not at
    all where it repeats the secret. `said` is that text as it came, until the row is collected.
    """

    check: str
    verdict: Verdict
    finding: str
    meaning: str = ""
    said: str = ""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.check}: {self.finding}"


class Findings:
    """Collects rows; the only way from a server's words to a finding."""

    def __init__(self, username: str = "") -> None:
        self._rows: dict[str, Check] = {}
        self._username = username
        self.secret: Secret | None = None  # what no row may repeat

    def __contains__(self, check: str) -> bool:
        return check in self._rows

    @property
    def seen(self) -> list[str]:
        """The checks that have a row, in the order of CHECKS."""
        return [check for check in CHECKS if check in self._rows]

    def __getitem__(self, check: str) -> Check:
        return self._rows[check]

    def add(self, *rows: Check) -> None:
        """Take these rows; of two for one check the first counts."""
        for row in rows:
            assert row.check in CHECKS, row.check
            finding, said = row.finding, row.said.strip()
            if said:
                shown = WITHHELD if self._gives_away(said) else said
                finding = f"{finding}: {shown}" if finding else shown
            whole = replace(
                row, finding=printable(finding, _LONGEST), meaning=printable(row.meaning, _LONGEST), said=""
            )
            self._rows.setdefault(row.check, whole)

    def fail(self, check: str, error: POP3Error, verdict: Verdict = "problem", meaning: str = "") -> None:
        """The row of a check that ended in an error."""
        text = f"the server refused {error.verb}" if isinstance(error, POP3CommandError) else ""
        said = error.text or "no reason given" if isinstance(error, POP3CommandError) else str(error)
        self.add(Check(check, verdict, text, meaning or _advice(error), said))

    def skip(self, reason: str, *checks: str) -> None:
        """Rows for what was not looked at: those of these checks, or of all, that have none yet."""
        for check in checks or CHECKS:
            self.add(Check(check, "skipped", reason))

    def rows(self) -> list[Check]:
        """All rows in the order of CHECKS."""
        self.skip("not looked at")
        return [self._rows[check] for check in CHECKS]

    def _gives_away(self, said: str) -> bool:
        if self.secret is None:
            return False
        reveal: Callable[[], str] = self.secret.reveal
        forms = [next(form(self._username, reveal)) for form in (sasl.plain, sasl.xoauth2)]
        forms.append(reveal().encode(errors="replace"))
        escaped = printable(reveal(), _LONGEST)
        return reveal() in said or escaped in said or any(b64encode(form).decode() in said for form in forms)


def _advice(error: POP3Error) -> str:
    if isinstance(error, POP3ProtocolError):
        return "what came is not POP3 as RFC 1939 has it: an export stops here too, rather than guess"
    if isinstance(error, POP3CommandError):
        return "the session goes on without it"
    return "the connection was lost or hung; an export reconnects once and then stops with what it has"
