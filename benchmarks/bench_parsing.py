"""How quick and how frugal the parser is, against three others on the same mails.

    python -m benchmarks.bench_parsing [COUNT]      ratios are the result; microseconds depend on the machine

CPU time, parsers interleaved, the first round thrown away, medians of the rest. Every side fills the same
row, and before anything is timed pop3frames must agree with the truth of every mail. Ends with 1 when a goal
is missed by more than 10 %.
"""

from __future__ import annotations

import email
import email.header
import email.policy
import email.utils
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import fast_mail_parser

from benchmarks.mailboxes import large, mixed, small
from pop3frames.parsing.parser import parse_message

ROUNDS = 6
GOALS = {"policy.default": 20.0, "compat32": 7.0, "fast-mail-parser": 1 / 1.7}  # their time / ours, at least
SLACK = 0.9
Row = Callable[[bytes], Any]


def _joined(texts: list[str]) -> str | None:
    return "\n".join(texts).replace("\r\n", "\n") if texts else None


def default_row(raw: bytes) -> Any:
    """The standard library as its documentation recommends it."""
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    lists = [
        [str(each) for each in mail[name].addresses] if mail[name] else []
        for name in ("from", "to", "cc", "bcc")
    ]
    date = mail["date"].datetime.timestamp() if mail["date"] else None
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    files = []
    for part in mail.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        if kind in texts and part.get_content_disposition() != "attachment":
            texts[kind].append(part.get_content())
        else:
            files.append((part.get_filename() or "", kind, len(part.get_payload(decode=True) or b"")))
    bodies = [_joined(each) for each in texts.values()]
    return (*lists, str(mail["subject"]), str(mail["message-id"]), date, *bodies, files, len(raw))


def _words(value: str) -> str:
    if "=?" not in value:
        return value
    pieces = email.header.decode_header(value)
    return "".join(
        each if isinstance(each, str) else each.decode(charset or "latin-1", "replace")
        for each, charset in pieces
    )


def compat32_row(raw: bytes) -> Any:
    """The standard library's older and quicker way."""
    mail = email.message_from_bytes(raw, policy=email.policy.compat32)
    pairs = [email.utils.getaddresses([str(mail[name] or "")]) for name in ("from", "to", "cc", "bcc")]
    lists = [[f"{_words(name)} <{address}>" if name else address for name, address in each] for each in pairs]
    date = email.utils.parsedate_to_datetime(str(mail["date"])).timestamp() if mail["date"] else None
    texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
    files = []
    for part in mail.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True) or b""
        if kind in texts and part.get_content_disposition() != "attachment":
            texts[kind].append(payload.decode(part.get_content_charset() or "utf-8", "replace"))
        else:
            files.append((_words(part.get_filename() or ""), kind, len(payload)))
    bodies = [_joined(each) for each in texts.values()]
    return (*lists, _words(str(mail["subject"])), mail["message-id"], date, *bodies, files, len(raw))


def rust_row(raw: bytes) -> Any:
    """fast-mail-parser, in the shape of a row."""
    mail = fast_mail_parser.parse_email(raw)
    groups = ([mail.from_] if mail.from_ else [], mail.to, mail.cc, mail.bcc)
    lists = [
        [f"{a.display_name} <{a.address}>" if a.display_name else a.address for a in group]
        for group in groups
    ]
    date = mail.date_parsed.timestamp() if mail.date_parsed else None
    files = [(each.filename, each.mimetype, len(each.content)) for each in mail.attachments]
    headers = mail.headers
    bodies = _joined(mail.text_plain), _joined(mail.text_html)
    return (*lists, mail.subject, headers.get("Message-ID"), date, *bodies, files, len(raw))


def check(mails: list[tuple[bytes, dict[str, Any]]]) -> None:
    """Speed means nothing where the values are wrong."""
    for raw, truth in mails:
        row = parse_message(raw)
        found = {name: getattr(row, name) for name in truth}
        found["attachments"] = [(each.filename, each.content_type, each.size) for each in row.attachments]
        if found != truth or row.parse_error:
            wrong = [name for name in truth if found[name] != truth[name]]
            sys.exit(f"wrong values in {wrong} of mail {truth['message_id_header']} ({row.parse_error})")


def measured(rows: dict[str, Row], mails: list[bytes]) -> dict[str, float]:
    """Median microseconds a mail for each, printed with their spread."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, row in rows.items():
            begin = time.process_time()
            for raw in mails:
                row(raw)
            times[name].append((time.process_time() - begin) / len(mails) * 1e6)
    medians = {name: statistics.median(each[1:]) for name, each in times.items()}
    for name, (_, *each) in times.items():
        spread = f"{min(each):8.1f} to {max(each):8.1f}"
        ratio = medians[name] / medians["pop3frames"]
        print(f"  {name:18}{medians[name]:9.1f} us   {spread}   {ratio:6.2f} x ours")
    return medians


def peak_of_a_large_mail() -> float:
    """Memory on top of a 41 MB mail while it is parsed, as a multiple of its size; in its own process."""
    program = (
        "import base64, resource\n"
        "from pop3frames.parsing.parser import parse_message\n"
        "body = base64.encodebytes(bytes(1 << 20)) * 29\n"
        "raw = b'Content-Type: image/png\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n' + body\n"
        "del body\n"
        "parse_message(raw[:1000])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "parse_message(raw)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print((after - before) * 1024 / len(raw))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    pairs = list(mixed(count))
    check(pairs)
    mails = [raw for raw, _ in pairs]
    quick = {"pop3frames": parse_message, "fast-mail-parser": rust_row}
    everyone: dict[str, Row] = {**quick, "compat32": compat32_row, "policy.default": default_row}
    print(f"mixed, {count} mails, {sum(map(len, mails)) / count / 1000:.0f} KB on average")
    medians = measured(everyone, mails)
    for name, mailbox in (("small", list(small(count * 4))), ("large", list(large(count)))):
        print(
            f"{name}, {len(mailbox)} mails, {sum(map(len, mailbox)) / len(mailbox) / 1000:.1f} KB on average"
        )
        measured(quick, mailbox)
    print(f"peak memory of one 41 MB mail: {peak_of_a_large_mail():.2f} times its size on top")
    missed = [name for name, goal in GOALS.items() if medians[name] / medians["pop3frames"] < goal * SLACK]
    if missed:
        sys.exit(f"goal missed against {', '.join(missed)}")


if __name__ == "__main__":
    main()
