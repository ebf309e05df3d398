"""Mails written for the tests of this room, by the line."""

from __future__ import annotations


def octets(text: str | bytes) -> bytes:
    """Text as UTF-8 with CRLF line ends; bytes as they are."""
    return text.replace("\n", "\r\n").encode() if isinstance(text, str) else text


def mail(*fields: str | bytes, body: str | bytes = "text\n") -> bytes:
    """A message of these header fields and this body, CRLF in between."""
    return b"".join(octets(field) + b"\r\n" for field in fields) + b"\r\n" + octets(body)


def multipart(
    *parts: bytes, subtype: str = "mixed", boundary: str = "b", fields: tuple[str, ...] = ()
) -> bytes:
    """A multipart message of these parts, each with its own header block (see `mail`)."""
    delimiter = f"--{boundary}".encode()
    body = b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
    return mail(*fields, f'Content-Type: multipart/{subtype}; boundary="{boundary}"', body=body)


TEXT = mail("Content-Type: text/plain", body="plain")
HTML = mail("Content-Type: text/html", body="<p>html</p>")
PICTURE = mail("Content-Type: image/png; name=a.png", "Content-Transfer-Encoding: base64", body="QUJD\n")
