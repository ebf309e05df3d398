"""`pop3frames credentials`: what is typed and piped, what is printed, and that it is never the secret."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sysconfig
import termios
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pop3frames.cli.main import main
from pop3frames.client.credentials import Secret, SecretReference

COMMAND = str(Path(sysconfig.get_path("scripts")) / "pop3frames")
SECRET = "hunter2-canary"


@pytest.fixture
def run(
    require: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Result]:
    """`run("set", ...)` in a folder of its own, with a key in the environment."""
    require(None if find_spec("cryptography") else "cryptography is not installed (pop3frames[crypt])")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **options: str) -> Result:
        result = CliRunner().invoke(main, ["credentials", *words], **options)
        assert SECRET not in result.output
        return result

    monkeypatch.setenv("POP3FRAMES_KEY", run("new-key").stdout.strip())
    return run


def assert_plain(result: Result, said: str) -> None:
    """One sentence on stderr, status 1, no traceback."""
    assert 1 == result.exit_code, result.output
    assert result.stderr.startswith("Error: ")
    assert 1 == result.stderr.count("\n")
    assert said in result.stderr


def test_each_new_key_is_another_one(run: Callable[..., Result]) -> None:
    """One line, that goes into POP3FRAMES_KEY as it is."""
    keys = {run("new-key").stdout for _ in range(3)}

    assert 3 == len(keys)
    assert {45} == {len(key) for key in keys}


@pytest.mark.parametrize("piped", [f"{SECRET}\n", SECRET, f"{SECRET}\r\nnext line\n"])
def test_a_piped_secret_is_kept_under_the_reference_that_is_printed(
    run: Callable[..., Result], piped: str
) -> None:
    """Its first line; the reference goes into an account as it stands there."""
    result = run("set", "mail.vault", "mail/ann", input=piped)

    assert (0, "added: crypt:mail.vault#mail/ann\n") == (result.exit_code, result.stdout)
    assert Secret(SECRET) == SecretReference(result.stdout.partition(" ")[2].strip()).resolve()
    assert "replaced: crypt:mail.vault#mail/ann\n" == run("set", "mail.vault", "mail/ann", input="new").stdout


def test_names_are_listed_and_entries_removed(run: Callable[..., Result]) -> None:
    """Never what they hold."""
    for name in ("b", "a"):
        run("set", "f", name, input=SECRET)

    assert "a\nb\n" == run("list", "f").stdout
    assert "removed a\n" == run("remove", "f", "a").stdout
    assert "b\n" == run("list", "f").stdout
    assert_plain(run("remove", "f", "a"), "f has no entry 'a'")


def test_what_cannot_be_kept_is_a_sentence(run: Callable[..., Result], tmp_path: Path) -> None:
    """Nothing piped, a name that no reference could hold, a file of another kind, no file."""
    assert_plain(run("set", "f", "a", input=""), "not empty")
    assert_plain(run("set", "f", "a", input=f"\n{SECRET}\n"), "not empty")
    assert_plain(run("set", "f", "a#b", input=SECRET), "without '#'")
    (tmp_path / "plain").write_text(SECRET)
    (tmp_path / "plain").chmod(0o600)
    assert_plain(run("set", "plain", "a", input=SECRET), "is not a file of encrypted credentials")
    assert_plain(run("list", "gone"), "there is no file gone")


def test_bytes_that_are_no_utf8_are_kept_as_they_are(run: Callable[..., Result]) -> None:
    """And are in no error about decoding."""
    run("set", "f", "a", input=SECRET.encode() + b"\xff\n")

    assert SECRET.encode() + b"\xff" == os.fsencode(SecretReference("crypt:f#a").resolve().reveal())


def test_without_a_key_nobody_is_asked_for_a_secret(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing would be typed but in vain."""
    monkeypatch.delenv("POP3FRAMES_KEY")

    assert_plain(run("set", "f", "a", input=SECRET), "POP3FRAMES_KEY is not set")
    assert_plain(run("list", "f"), "POP3FRAMES_KEY is not set")
    assert [] == list(tmp_path.iterdir())


def test_a_typed_secret_is_not_echoed(run: Callable[..., Result], tmp_path: Path) -> None:
    """Asked for at a real terminal, by the name of the entry."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [COMMAND, "credentials", "set", "f", "mail/ann"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = b""
    while b"Secret for mail/ann: " not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, f"{SECRET}\n".encode())
    while b"added" not in shown:
        shown += os.read(ours, 4096)
    assert 0 == process.wait()
    os.close(ours)

    assert SECRET.encode() not in shown
    assert Secret(SECRET) == SecretReference("crypt:f#mail/ann").resolve()


@pytest.mark.parametrize("words", [[], ["new-key"], ["set"], ["list"], ["remove"]])
def test_every_command_explains_itself(words: list[str]) -> None:
    """And none has an option or argument for the secret."""
    result = CliRunner().invoke(main, ["credentials", *words, "--help"])

    assert 0 == result.exit_code
    assert "password" not in result.stdout.partition("Options")[2].lower()
