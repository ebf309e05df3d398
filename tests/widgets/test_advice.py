"""Every error has plain words with something to try, and never the server's."""

from __future__ import annotations

import pytest

from pop3frames import errors
from pop3frames.widgets.advice import plain_words

HOSTILE = "CANARY <script>"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.POP3AuthenticationError("PASS", HOSTILE, "AUTH"), "user name and the password"),
        (errors.POP3BusyError("PASS", HOSTILE, "IN-USE"), "Another program has this mailbox open"),
        (errors.POP3BusyError("PASS", HOSTILE, "LOGIN-DELAY", 30.0), "It asks for 30 seconds"),
        (errors.POP3BusyError("PASS", HOSTILE, "SYS/TEMP"), "in passing trouble"),
        (errors.POP3CommandError("TOP", HOSTILE), "The server refused TOP"),
        (errors.POP3ProtocolError(HOSTILE), "is not POP3"),
        (RuntimeError(HOSTILE), r"unexpected happened \(RuntimeError\)"),
    ],
)
def test_the_words_of_a_server_are_never_shown(error: Exception, words: str) -> None:
    """They may repeat the password, or hold anything a mail holds."""
    assert "CANARY" not in plain_words(error)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(plain_words(error))


def test_a_refused_stls_is_told_without_the_servers_words() -> None:
    """That connection error quotes the refusal."""
    error = errors.POP3ConnectionError(f"h:110 offers no TLS by STLS ({HOSTILE})")
    error.__cause__ = errors.POP3CommandError("STLS", HOSTILE)
    assert "CANARY" not in plain_words(error)
    assert "TLS from the start" in plain_words(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.POP3ConnectionError("unknown host 'x': check the name"), "Unknown host 'x': check the name."),
        (errors.POP3UsageError("nothing is marked"), "Nothing is marked."),
        (errors.POP3ExportError("the disk is full"), "The disk is full."),
        (
            OSError(13, "Permission denied", "/nowhere"),
            "The file system refused /nowhere: Permission denied. Choose another folder.",
        ),
    ],
)
def test_our_own_words_are_shown_as_a_sentence(error: Exception, words: str) -> None:
    """They say what to do already."""
    assert plain_words(error) == words


def test_every_error_of_the_package_has_words_of_its_own() -> None:
    """A new error must not end as something unexpected."""

    def below(cls: type[errors.POP3Error]) -> list[type[errors.POP3Error]]:
        return [each for sub in cls.__subclasses__() for each in (sub, *below(sub))]

    assert [cls for cls in below(errors.POP3Error) if "unexpected" in plain_words(cls("RETR"))] == []
