"""A fetched mail as a row: what is added to what the parser found."""

from __future__ import annotations

import hashlib

from pop3frames.client.rows import as_row, oversized_row

RAW = b"Subject: hello\r\n\r\nbody\r\n"


def test_a_row_knows_where_it_came_from() -> None:
    """Account, unique-id, hash of the original bytes, and the bytes themselves only if they are wanted."""
    row = as_row(RAW, 7, account="ann", uidl="a7")

    assert (row.message_id, row.subject, row.text_body) == (7, "hello", "body\n")
    assert (row.account, row.uidl, row.raw) == ("ann", "a7", None)
    assert row.content_hash == hashlib.sha256(RAW).hexdigest()
    assert as_row(RAW, 7, account="ann", keep_raw=True).raw == RAW


def test_a_row_without_a_body_says_what_is_missing() -> None:
    """The LISTed size, a flag, and no hash that could be taken for that of the mail."""
    row = oversized_row(b"Subject: hello\r\n\r\n", 7, account="ann", uidl="a7", size=1 << 30)

    assert (row.subject, row.size, row.parse_error) == ("hello", 1 << 30, "limit:message")
    assert (row.content_hash, row.raw) == (None, None)
