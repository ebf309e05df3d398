"""The second half of a check-up: what a mailbox holds, whether the server is as good as its word, the end.

The way there is in `arrival.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from statistics import median

from pop3frames.checkup import checkups, samples, soundings
from pop3frames.checkup.arrival import Arrival
from pop3frames.checkup.findings import SEVERITY, Check
from pop3frames.checkup.visits import NoSessionError, Visits
from pop3frames.client.handler import POP3ProtocolHandler
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3BusyError, POP3CommandError, POP3ConnectionError, POP3Error, counted

# A problem in one of these: nothing behind it could be looked at.
DOORS = ("reach", "greeting", "tls", "certificate", "login")

_FETCHING = ("retr", "sizes", "octets", "top against retr")
_ROUND_TRIPS = 5
_MARKS_READ = b"Microsoft Exchange"  # in its greeting: RETR marks as read there (jstedfast/MailKit#952)
_NO_NAME = "no user name was given: it ended before the login"


class Stay(Arrival):
    """A whole check-up.

    retrieve   fetch the samples; None: unless that leaves a trace on the server
    samples    how many small messages are looked at
    """

    def __init__(
        self, handler: POP3ProtocolHandler, visits: Visits, retrieve: bool | None, samples: int
    ) -> None:
        super().__init__(handler, visits)
        self._retrieve, self._samples = retrieve, samples
        self._sizes: Mapping[int, int] = {}
        self._ids: Mapping[int, str] = {}
        self._sound: list[int] = []  # samples that came without breaking the session
        self._retrieved = False

    def run(self, log_in: bool) -> list[Check]:
        """All of it, whatever fails on the way."""
        arrived = self.arrive()
        if arrived:
            if log_in and self.enter():
                self._look()
                self._look_closer()
                self._come_again()
            self._leave()
            if not self.capa_hangs:
                self.findings.add(*checkups.habits(self.after, self.before))
        self.findings.add(self._conclusion(log_in))
        self.findings.skip(_NO_NAME if arrived and not log_in else "it did not get so far")
        return self.findings.rows()

    def _look(self) -> None:
        """What the listings say."""
        told = None
        with self.alone("mailbox"):
            row, told = soundings.stat(self.session())
            self.findings.add(row)
        with self.alone("list"):
            row, self._sizes = soundings.listing(self.session(), told)
            self.findings.add(row, soundings.oversized(self.session(), self._sizes))
        with self.alone("uidl"):
            row, self._ids = soundings.unique_ids(self.session(), self._sizes, "UIDL" in self.told)
            self.findings.add(row)

    def _look_closer(self) -> None:
        """What comes when a few messages are asked for."""
        taken: list[samples.Sample] = []
        trips: list[float] = []
        reason = self._not_retrieving()
        if reason:
            self.findings.skip(reason, *_FETCHING)
        for number in samples.chosen(self._sizes, self._samples):
            try:
                client = self.session()
                taken.append(samples.Sample(number, self._sizes[number]))
                self._retrieved |= not reason
                samples.take(client, taken[-1], trips, retrieve=not reason)
            except POP3ConnectionError:
                self.client = None
            except (POP3Error, NoSessionError):  # no login, or none any more
                break
        self._sound = [each.number for each in taken if not each.breaks]
        if taken:
            self.findings.add(*samples.judged(taken, retrieve=not reason))
        none = f"there is no message of {samples.SMALL:,} octets or less" if self._sizes else "no messages"
        self.findings.skip(none, "framing", "top", *_FETCHING)
        with self.alone("round trip"):
            trips += [samples.round_trip(self.session()) for _ in range(_ROUND_TRIPS)]
            seconds = median(trips)
            meaning = f"one by one, 1,000 messages wait {seconds * 1000:.0f} s for their turns"
            self.findings.add(Check("round trip", "ok", f"{seconds * 1000:.1f} ms, median of NOOP", meaning))

    def _not_retrieving(self) -> str:
        """Why no message is fetched; empty when some are."""
        if self._retrieve is not None:
            return "" if self._retrieve else "no message is fetched, as you asked"
        if checkups.expires_retrieved(self.told):
            return "EXPIRE 0: what is fetched may be hidden; retrieve=True or --retrieve does it all the same"
        if _MARKS_READ in self.greeting:
            return (
                "this server marks as read what is fetched; retrieve=True or --retrieve does it all the same"
            )
        return ""

    def _come_again(self) -> None:
        """A second session while the first is open, and behind it if it is not let in."""
        if self.visits.delay:
            self.findings.skip(
                f"LOGIN-DELAY {self.visits.delay}: too soon for it", "second session", "uidl stable"
            )
            with self.alone("pipelining"):
                self._run_ahead(self.session())
            return
        other = None
        with self.alone("second session"):
            other = self._beside(self.session())
        self._leave()
        self.client = other  # None: another one is opened now that the first has ended
        with self.alone("uidl stable"):
            _, ids = soundings.unique_ids(self.session(), self._sizes, announced=False)
            self.findings.add(soundings.stable(self._ids, ids))
        with self.alone("pipelining"):
            self._run_ahead(self.session())

    def _beside(self, first: POP3) -> POP3 | None:
        """A second session beside the first, or None and the row that says why there is none."""
        name, one_only = "second session", "the mailbox is read by one at a time, as RFC 1939 foresees"
        try:
            other = self.visits.another()
        except POP3BusyError as exc:
            verdict = "refused with a response code"
            self.findings.add(Check(name, "ok", verdict, f"{one_only}; an export waits", exc.text))
            return None
        except POP3CommandError as exc:
            meaning = "looks like a wrong password to other programs; never run two at a time"
            self.findings.add(Check(name, "note", "refused without a code that says busy", meaning, exc.text))
            return None
        except POP3ConnectionError as exc:
            if self.visits.over:
                raise
            meaning = f"{one_only}; never run two at a time"
            self.findings.add(Check(name, "note", "not let in", meaning, str(exc)))
            return None
        try:
            samples.round_trip(first)
        except POP3ConnectionError as exc:
            self.client = None
            meaning = "any other program that looks into this mailbox ends an export under way"
            self.findings.add(Check(name, "warning", "it ended the first session", meaning, str(exc)))
        meaning = "message numbers of one say nothing to the other: let no other program delete meanwhile"
        self.findings.add(Check(name, "note", "let in beside the first", meaning))
        return other

    def _run_ahead(self, client: POP3) -> None:
        before, after = "PIPELINING" in (self.before or {}), "PIPELINING" in (self.after or {})
        if not before and not after:
            meaning = "messages are fetched one by one: see the round trip"
            self.findings.add(Check("pipelining", "note", "not announced", meaning))
            return
        where = (
            ""
            if before and after
            else " (announced only " + ("before" if before else "after") + " the login)"
        )
        row = soundings.pipelining(client, self._sound)
        self.findings.add(Check(row.check, row.verdict, row.finding + where, row.meaning, row.said))

    def _leave(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            self._end(client)

    def _end(self, client: POP3) -> None:
        """QUIT; but only a cut where QUIT could hide what was fetched (RFC 2449 section 6.7)."""
        if not (self._retrieved and checkups.expires_retrieved(self.told)):
            with contextlib.suppress(POP3Error):
                client.quit()
        client.close()

    def _conclusion(self, log_in: bool) -> Check:
        """What an export would do."""
        rows = [self.findings[name] for name in self.findings.seen]
        blocked = [row.check for row in rows if row.verdict == "problem" and row.check in DOORS]
        if blocked:
            return Check("export", "problem", f"would not begin, see {blocked[0]}", "mend that first")
        if not log_in:
            return Check("export", "skipped", _NO_NAME, "give a user name to see what is behind it")
        worst = max(rows, key=lambda row: SEVERITY.index(row.verdict)).verdict
        look_at = ", ".join(row.check for row in rows if row.verdict == worst)
        keyed = "unique-id" if self._ids else "content"
        pipelined = "pipelining" in self.findings and self.findings["pipelining"].verdict == "ok"
        finding = (
            f"would fetch {counted(len(self._sizes))} of {sum(self._sizes.values()):,} octets, "
            f"{'many at a time' if pipelined else 'one by one'}, keyed by {keyed}; nothing is deleted"
        )
        if worst in ("warning", "problem"):
            return Check("export", worst, finding, f"but see {look_at}")
        return Check("export", "ok", finding, "nothing stands in its way")
