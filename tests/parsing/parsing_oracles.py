"""Three other readers of mail, brought into the columns of a row.

The standard library under its old and under its default policy, and fast-mail-parser: none is the truth. The
adapters are plain on purpose: all they share with pop3frames.parsing is the table of charset labels and the
rule what is body and what is attachment, which are decisions and not findings.
"""

from __future__ import annotations

import email
import email.header
import email.message
import email.policy
import email.utils
from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

import fast_mail_parser

from pop3frames.parsing.charsets import codec_of

Columns = dict[str, Any]


def lf(text: str) -> str:
    """`text` with LF line ends and without NUL."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


# The standard library


def stdlib_columns(raw: bytes) -> Columns:
    """What `email` finds under compat32, the documented columns only."""
    tree = email.message_from_bytes(raw, policy=email.policy.compat32)
    found: Columns = {"subject": _words(tree, "subject"), "message_id_header": _words(tree, "message-id")}
    found["from_"] = _addresses(tree, "from")
    for name in ("to", "cc", "bcc"):
        found[name] = _addresses(tree, name) or []
    found["received_at"] = _moment(tree)
    leaves = list(_leaves(tree))
    for column, media_type in (("text_body", "text/plain"), ("html_body", "text/html")):
        texts = [_text(leaf) for leaf in leaves if _is_body(leaf) and leaf.get_content_type() == media_type]
        found[column] = "\n".join(texts) if texts else None
    found["attachments"] = [_attachment(leaf) for leaf in leaves if not _is_body(leaf)]
    return found


def _leaves(tree: email.message.Message) -> Iterator[email.message.Message]:
    if tree.get_content_maintype() == "multipart" and tree.is_multipart():
        for part in tree.get_payload():
            yield from _leaves(part)
    else:
        yield tree


def _is_body(leaf: email.message.Message) -> bool:
    if leaf.get_content_maintype() == "multipart":
        return True
    return (
        leaf.get_content_type() in ("text/plain", "text/html")
        and leaf.get_content_disposition() != "attachment"
    )


def _header(tree: email.message.Message, name: str) -> str | None:
    for key, value in tree.raw_items():
        if key.lower() == name:
            data = str(value).encode("utf-8", "surrogateescape")
            return _utf8_or_latin(data).replace("\r", "").replace("\n", "").strip()
    return None


def _utf8_or_latin(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _decode(data: bytes, label: str | None) -> str:
    for codec in (codec_of(label or "") or "utf_8", "utf_8"):
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            continue
    return data.decode(codec_of(label or "") or "cp1252", "replace")


def _word_text(value: str) -> str:
    pieces = [
        data if isinstance(data, str) else _decode(data, charset)
        for data, charset in email.header.decode_header(value)
    ]
    return "".join(pieces).replace("\t", " ")


def _words(tree: email.message.Message, name: str) -> str | None:
    value = _header(tree, name)
    return None if value is None else _word_text(value).strip()


def _addresses(tree: email.message.Message, name: str) -> Any:
    value = _header(tree, name)
    if value is None:
        return None
    pairs = [(_word_text(shown).strip(), address) for shown, address in email.utils.getaddresses([value])]
    listed = [f"{shown} <{address}>" if shown and address else shown or address for shown, address in pairs]
    listed = [each for each in listed if each]
    return ", ".join(listed) if name == "from" else listed


def _moment(tree: email.message.Message) -> int | None:
    for name in ("date", "received"):
        for key, value in tree.raw_items():
            if key.lower() == name:
                try:
                    moment = email.utils.parsedate_to_datetime(str(value).rpartition(";")[2])
                except (ValueError, TypeError, IndexError, OverflowError):
                    continue
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return int(moment.timestamp()) * 1000
    return None


def _text(leaf: email.message.Message) -> str:
    payload = leaf.get_payload(decode=True)
    label = leaf.get_content_charset()
    return lf(_decode(payload if isinstance(payload, bytes) else b"", label))


def _attachment(leaf: email.message.Message) -> tuple[str, str, int | None]:
    payload = leaf.get_payload(decode=True)
    size = len(payload) if isinstance(payload, bytes) else None  # what it opened has no bytes any more
    return _word_text(leaf.get_filename() or ""), leaf.get_content_type(), size


# The standard library under its default policy

# Columns it may fail on: it raises on some odd fields, and then it has no opinion about that column.
_Reader = Callable[[email.message.EmailMessage], Any]


def default_columns(raw: bytes) -> Columns:
    """What `email` finds under policy.default. A column where it raises is missing: it has no opinion."""
    readers: dict[str, _Reader] = {
        "subject": lambda tree: _unfolded(tree, "subject"),
        "from_": lambda tree: ", ".join(_default_addresses(tree, "from")) or None,
        "to": lambda tree: _default_addresses(tree, "to"),
        "cc": lambda tree: _default_addresses(tree, "cc"),
        "received_at": _default_moment,
        "text_body": lambda tree: _default_text(tree, "plain"),
        "html_body": lambda tree: _default_text(tree, "html"),
        "attachments": lambda tree: [
            _default_attachment(each) for each in _leaves(tree) if not _is_body(each)
        ],
    }
    tree = email.message_from_bytes(raw, _class=email.message.EmailMessage, policy=email.policy.default)
    found: Columns = {}
    for column, reader in readers.items():
        try:
            found[column] = reader(tree)
        except Exception:  # AttributeError, LookupError and whatever else it raises on odd mail
            continue
    return found


def _unfolded(tree: email.message.EmailMessage, name: str) -> str | None:
    value = tree[name]
    if value is None:
        return None
    data = str(value).encode("utf-8", "surrogateescape")
    return _utf8_or_latin(data).replace("\t", " ")


def _default_addresses(tree: email.message.EmailMessage, name: str) -> list[str]:
    value = tree[name]
    return [] if value is None else [str(each) for each in value.addresses]


def _default_moment(tree: email.message.EmailMessage) -> int | None:
    moment = tree["date"].datetime if tree["date"] is not None else None
    if moment is None:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()) * 1000


def _default_text(tree: email.message.EmailMessage, kind: str) -> str | None:
    """All texts of a kind in the order they stand; the one get_body prefers must be among them."""
    texts = [
        lf(leaf.get_content())
        for leaf in _leaves(tree)
        if _is_body(leaf) and leaf.get_content_type() == f"text/{kind}"
    ]
    preferred = tree.get_body((kind,))
    if preferred is not None and preferred.get_content_type() == f"text/{kind}":
        assert preferred.get_content_disposition() == "attachment" or lf(preferred.get_content()) in texts
    return "\n".join(texts) if texts else None


def _default_attachment(leaf: email.message.Message) -> tuple[str, str, int | None]:
    payload = leaf.get_payload(decode=True)
    size = len(payload) if isinstance(payload, bytes) else None
    return leaf.get_filename() or "", leaf.get_content_type(), size


# fast-mail-parser


def rust_columns(raw: bytes) -> Columns:
    """What fast-mail-parser finds; raises its ParseError where it gives up."""
    mail = fast_mail_parser.parse_email(raw)
    headers = {name.lower(): values[0] for name, values in reversed(mail.headers.items())}
    found: Columns = {
        "subject": mail.subject if "subject" in headers else None,
        "message_id_header": headers.get("message-id"),
        "from_": _rust_address(mail.from_) if mail.from_ else None,
        "received_at": int(mail.date_parsed.timestamp()) * 1000 if mail.date_parsed else None,
        "text_body": lf("\n".join(mail.text_plain)) if mail.text_plain else None,
        "html_body": lf("\n".join(mail.text_html)) if mail.text_html else None,
        "attachments": [(each.filename, each.mimetype, len(each.content)) for each in mail.attachments],
    }
    for name in ("to", "cc", "bcc"):
        found[name] = [_rust_address(each) for each in getattr(mail, name)]
    return found


def _rust_address(each: fast_mail_parser.PyAddress) -> str:
    return f"{each.display_name} <{each.address}>" if each.display_name else each.address
