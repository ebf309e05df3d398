"""A few messages of a mailbox, fetched to see whether the server's words about them are true.

Nothing here deletes; what RETR marks as read is taken back at once (RSET). Listings are in `soundings.py`.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pop3frames.checkup.findings import Check
from pop3frames.checkup.soundings import some
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3CommandError, POP3ConnectionError, counted
from pop3frames.protocol import grammar
from pop3frames.protocol.framing import lines

SMALL = 64 << 10  # octets LISTed, of a message that is fetched to look at it
_TOP_LINES = 5
_OCTETS = re.compile(rb"\+OK +(\d{1,10}) +octets", re.IGNORECASE)


@dataclass
class Sample:
    """What one message looked like: as TOP and RETR gave it, and what their status lines said."""

    number: int
    listed: int
    top: bytes | None = None
    raw: bytes | None = None
    octets: int | None = None  # as in "+OK 120 octets"
    refused: str = ""
    out_of_step: str = ""

    @property
    def lost_its_beginning(self) -> bool:
        """Whether nothing came where there is something: a mail that begins with a dot not doubled."""
        return self.listed > len(grammar.CRLF) and b"" in (self.top, self.raw)

    @property
    def breaks(self) -> bool:
        """Whether this message must not be asked for again."""
        return bool(self.out_of_step) or self.lost_its_beginning


def chosen(sizes: Mapping[int, int], most: int) -> list[int]:
    """Up to `most` small messages, spread over the mailbox."""
    small = [number for number, size in sorted(sizes.items()) if size <= SMALL]
    if len(small) <= most or most < 2:
        return small[:most]
    return [small[index * (len(small) - 1) // (most - 1)] for index in range(most)]


def take(client: POP3, sample: Sample, trips: list[float], retrieve: bool) -> None:
    """Fill in the sample: TOP first, which leaves no trace anywhere, then RETR and at once RSET.

    Behind each a command whose reply shows that the session is in step; NOOP's round trips, in seconds, are
    added to `trips`. POP3ConnectionError when it is out of step or lost, which the sample then tells.
    """
    try:
        with contextlib.suppress(POP3CommandError):
            sample.top = client._request(grammar.TOP, sample.number, _TOP_LINES).block
        trips.append(round_trip(client))
        if not retrieve:
            return
        try:
            reply = client._request(grammar.RETR, sample.number)
            sample.raw = reply.block
            found = _OCTETS.match(reply.status)
            sample.octets = int(found[1]) if found else None
        except POP3CommandError as exc:
            sample.refused = exc.text or "no reason given"
        with contextlib.suppress(POP3CommandError):
            client.rset()  # Dovecot sets \Seen when a session ends that RETRed, unless it was reset
    except POP3ConnectionError as exc:
        sample.out_of_step = str(exc)
        raise


def round_trip(client: POP3) -> float:
    """Seconds from a NOOP to its reply."""
    start = time.monotonic()
    with contextlib.suppress(POP3CommandError):
        client.noop()
    return time.monotonic() - start


def judged(samples: Sequence[Sample], retrieve: bool) -> list[Check]:
    """The rows that a few messages give."""
    rows = [_framing(samples), _top(samples)]
    fetched = [each for each in samples if each.raw]
    if not retrieve:
        return rows
    refused = [each for each in samples if each.refused]
    if refused:
        numbers = some([each.number for each in refused])
        advice = "an export counts them as failed and goes on"
        rows.append(Check("retr", "problem", f"refused for {numbers}", advice, refused[0].refused))
    elif len(fetched) < len(samples):
        missing = some([each.number for each in samples if not each.raw])
        rows.append(Check("retr", "problem", f"nothing came for {missing}", "they would count as failed"))
    else:
        rows.append(Check("retr", "ok", f"{counted(len(fetched))} came whole"))
    if fetched:
        rows += [_sizes(fetched), _octets(fetched), _alike(fetched)]
    return rows


def _framing(samples: Sequence[Sample]) -> Check:
    beheaded = [each.number for each in samples if each.lost_its_beginning]
    if beheaded:
        return Check(
            "framing",
            "problem",
            f"message {some(beheaded)} comes as if empty: it probably begins with a line that is only a "
            "dot, which the server does not double",
            "known of Dovecot and Courier; an export counts it as failed and goes on in a new session",
        )
    lost = [each for each in samples if each.out_of_step]
    if lost:
        finding = f"the session broke at message {some([each.number for each in lost])}"
        meaning = "an export stops there, begins a new session once and goes on behind it"
        return Check("framing", "problem", finding, meaning, lost[0].out_of_step)
    return Check("framing", "ok", f"replies to {counted(len(samples))} ended where they should")


def _top(samples: Sequence[Sample]) -> Check:
    if all(each.top is None for each in samples):
        return Check("top", "warning", "refused", "no previews; the bodies of an export do not need it")
    return Check("top", "ok", "works", "previews mark nothing as read")


def _sizes(fetched: Sequence[Sample]) -> Check:
    pairs = [(each.listed, len(each.raw or b"")) for each in fetched]
    wrong = [(listed, came) for listed, came in pairs if listed != came]
    if not wrong:
        return Check("sizes", "ok", "LIST told what came")
    listed, came = max(wrong, key=lambda pair: abs(pair[0] - pair[1]))
    finding = f"LIST is off for {len(wrong)} of {len(pairs)}: {listed:,} octets told, {came:,} came"
    if listed > 2 * came + SMALL // 64 or came > 2 * listed + SMALL // 64:
        return Check(
            "sizes", "warning", finding, "progress is a guess, and so is the limit of what is fetched"
        )
    return Check("sizes", "note", finding, "common and harmless: the size column says what came")


def _octets(fetched: Sequence[Sample]) -> Check:
    told = [(each.octets, len(each.raw or b"")) for each in fetched if each.octets is not None]
    if not told:
        return Check("octets", "ok", "the reply to RETR tells no octets", "none are needed")
    wrong = sum(octets != came for octets, came in told)
    if not wrong:
        return Check("octets", "ok", "the reply to RETR told what came")
    return Check(
        "octets", "note", f"the reply to RETR is off for {wrong} of {len(told)}", "nobody relies on it"
    )


def _alike(fetched: Sequence[Sample]) -> Check:
    both = [each for each in fetched if each.top is not None]
    if not both:
        return Check("top against retr", "skipped", "there was no TOP to compare")
    other = [each.number for each in both if not _begins_with(each.raw or b"", each.top or b"")]
    if not other:
        return Check("top against retr", "ok", f"header and first {_TOP_LINES} lines are equal")
    meaning = "previews differ from the mail; an export goes by RETR alone"
    return Check("top against retr", "warning", f"differ for message {some(other)}", meaning)


def _begins_with(raw: bytes, top: bytes) -> bool:
    """Whether TOP gave header, blank line and so many lines of this message. Blank lines at the end vary."""
    whole = lines(raw)
    header = whole.index(b"") if b"" in whole else len(whole)
    expected, got = whole[: header + 1 + _TOP_LINES], lines(top)
    for each in (expected, got):
        while each and not each[-1]:
            each.pop()
    return expected == got
