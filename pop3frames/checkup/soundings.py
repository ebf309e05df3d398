"""What a server does, put to the test: listings, and commands that run ahead of their replies.

Functions that ask an open session and judge what came. A few messages are looked at in `samples.py`; who
opens which session, and when, is in `stay.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pop3frames.checkup.findings import Check
from pop3frames.client.pop3 import POP3
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3ProtocolError, counted, printable
from pop3frames.protocol import grammar
from pop3frames.protocol.commands import Argument
from pop3frames.protocol.conversation import Reply
from pop3frames.protocol.framing import lines
from pop3frames.protocol.grammar import Verb
from pop3frames.protocol.listings import parse_sizes, parse_stat, parse_unique_ids

_BATCH = 16  # commands in one flight at least: a known fault begins at ten (jstedfast/MailKit#174)
_UNIQUE_ID = re.compile(rb" *\d+ +[\x21-\x7e]{1,70}")  # RFC 1939 section 7

Request = tuple[Verb, tuple[Argument, ...]]


# Listings


def stat(client: POP3) -> tuple[Check, tuple[int, int] | None]:
    """Count and octets of the mailbox as STAT tells them; None where it does not."""
    reply = client._request(grammar.STAT)
    try:
        count, octets = parse_stat(reply.status)
    except POP3ProtocolError:
        reply.withhold(client._repeats_a_secret)
        meaning = "an export goes by LIST; get_mailbox_stat() does not work here"
        return Check("mailbox", "warning", "STAT cannot be read", meaning, printable(reply.status)), None
    return Check("mailbox", "ok", f"{counted(count)}, {octets:,} octets"), (count, octets)


def listing(client: POP3, told: tuple[int, int] | None) -> tuple[Check, Mapping[int, int]]:
    """LIST, against what STAT told."""
    scan = client.scan_listings()
    sizes, count = parse_sizes(scan), len(lines(scan))
    if count > len(sizes):
        meaning = "an export asks for those messages all the same if UIDL names them; sizes are hints"
        finding = f"{count - len(sizes)} of {count} lines cannot be read"
        return Check("list", "warning", finding, meaning), sizes
    if told is not None and told[0] != len(sizes):
        finding = f"LIST names {counted(len(sizes))}, STAT counts {told[0]}"
        return Check("list", "warning", finding, "an export goes by LIST and UIDL"), sizes
    total = sum(sizes.values())
    if told is not None and told[1] != total:
        finding = f"the sizes of LIST make {total:,} octets, STAT says {told[1]:,}"
        return Check("list", "note", finding, "sizes are hints, nothing relies on them"), sizes
    return Check("list", "ok", "LIST and STAT agree" if told else counted(len(sizes))), sizes


def oversized(client: POP3, sizes: Mapping[int, int]) -> Check:
    """Messages that are too large to be fetched."""
    large = [number for number, size in sizes.items() if size > client.limits.message]
    if not large:
        return Check("oversized", "ok", f"the largest has {max(sizes.values(), default=0):,} octets")
    finding = f"{counted(len(large))} of more than {client.limits.message:,} octets: {some(large)}"
    return Check("oversized", "warning", finding, "they are not fetched but counted as failed")


def unique_ids(client: POP3, sizes: Mapping[int, int], announced: bool) -> tuple[Check, Mapping[int, str]]:
    """UIDL: there, one a message, each only once, as RFC 1939 section 7 wants them."""
    keyed = "such messages are keyed by their content: every export fetches them again to recognize them"
    try:
        scan = client.unique_ids()
    except POP3CommandError as exc:
        finding = "announced, but refused" if announced else "the server has none"
        return Check("uidl", "warning", finding, keyed, exc.text), {}
    found = parse_unique_ids(scan, client.limits)
    times = Counter(found.values())
    repeated = [number for number, uidl in found.items() if times[uidl] > 1]
    malformed = [line for line in lines(scan) if not _UNIQUE_ID.fullmatch(line)]
    missing = sorted(sizes.keys() - found.keys())
    if malformed:
        told = f"{len(malformed)} are not 1 to 70 visible ASCII characters"
    elif missing:
        told = f"none for {counted(len(missing))}: {some(missing)}"
    elif repeated:
        told = f"{len(repeated)} messages share theirs with another: {some(sorted(repeated))}"
    else:
        return Check("uidl", "ok", f"{len(found)}, well formed, each only once"), found
    return Check(
        "uidl", "warning", told, keyed if not malformed or missing else "they are used as they are"
    ), (found)


def stable(first: Mapping[int, str], second: Mapping[int, str]) -> Check:
    """Unique-ids of one session against those of the next."""
    gone, new = set(first.values()) - set(second.values()), set(second.values()) - set(first.values())
    if not first:
        return Check("uidl stable", "skipped", "there were none to compare")
    if not gone:
        return Check("uidl stable", "ok", "the same in a second session", "known mail is not fetched twice")
    if len(new) < len(gone):
        finding = f"{len(gone)} of {len(first)} were gone in a second session"
        return Check("uidl stable", "note", finding, "another program may have deleted them meanwhile")
    finding = f"{len(gone)} of {len(first)} were others in a second session"
    return Check("uidl stable", "problem", finding, "every export would fetch and store those mails again")


# Pipelining


def pipelining(client: POP3, numbers: Sequence[int]) -> Check:
    """Commands in one flight, against the same one by one. May cost the session; RFC 2449 section 6.6."""
    requests = _distinguishable(numbers)
    try:
        serially = [client._exchange(verb, *arguments) for verb, arguments in requests]
    except POP3ConnectionError as exc:
        return Check(
            "pipelining", "skipped", "the session broke while commands went one by one", "", str(exc)
        )
    advice = "use pipelining=False; without it an export notices at its first window and goes on one by one"
    try:
        together = client._together(*requests)
        client.noop()  # nothing more came than was asked for
    except POP3CommandError:
        pass
    except POP3ConnectionError as exc:
        finding = f"announced, but {len(requests)} commands in one flight end the session"
        return Check("pipelining", "problem", finding, advice, str(exc))
    wrong = sum(_essence(one) != _essence(other) for one, other in zip(serially, together, strict=True))
    if wrong:
        finding = f"announced, but {wrong} of {len(requests)} replies differ from those given one by one"
        return Check("pipelining", "problem", finding, advice)
    finding = f"{len(requests)} commands in one flight got the replies they get one by one"
    return Check("pipelining", "ok", finding, "an export does not wait for each message")


def _distinguishable(numbers: Sequence[int]) -> list[Request]:
    """Requests whose replies differ from each other, as far as the mailbox has something to tell."""
    core: list[Request] = [(grammar.STAT, ()), (grammar.LIST, ()), (grammar.NOOP, ())]
    if numbers:
        core = [
            request
            for number in numbers
            for request in ((grammar.LIST, (number,)), (grammar.TOP, (number, 0)), (grammar.NOOP, ()))
        ]
    return (core * _BATCH)[: max(_BATCH, len(core))]


def _essence(reply: Reply) -> tuple[bool, bytes, bytes | None]:
    """What must be the same each time; what is said behind +OK only where it is an answer."""
    answers = reply.verb in (grammar.LIST, grammar.STAT) and reply.block is None
    return reply.ok, reply.status if answers and reply.ok else b"", reply.block


def some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return shown + (", ..." if len(numbers) > 5 else "")
