"""The encrypted credentials file: what is kept, who may read it, what goes wrong, and two writers at once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from client.canaries import CANARY, everything

from pop3frames.client import vault
from pop3frames.client.credentials import Secret, SecretReference
from pop3frames.client.vault import Vault, new_key, read_private, write_private
from pop3frames.errors import POP3UsageError

NAME = "mail/ann of work"


@pytest.fixture(autouse=True)
def key(require: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of this test, in the environment."""
    require(None if find_spec("cryptography") else "cryptography is not installed (pop3frames[crypt])")
    made = new_key()
    monkeypatch.setenv("POP3FRAMES_KEY", made)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A credentials file with one entry."""
    Vault(tmp_path / "mail#1.vault").set(NAME, Secret(CANARY))
    return tmp_path / "mail#1.vault"


def refusal(path: Path) -> str:
    """Why the entry cannot be read; nothing in the error shows it, or the key."""
    with pytest.raises(POP3UsageError) as raised:
        Vault(path).get(NAME)
    shown = everything(raised.value)
    assert CANARY not in shown
    assert (os.environ.get("POP3FRAMES_KEY") or "no such key") not in shown
    return str(raised.value)


# What is kept


@pytest.mark.parametrize("secret", [CANARY, " blanks ", "p\u00e4ss\nline", "\udc80"])
def test_what_was_kept_comes_back_by_reference(path: Path, secret: str) -> None:
    """'crypt:FILE#NAME': the last # divides them."""
    Vault(path).set("other", Secret(secret))

    assert Secret(secret) == SecretReference(f"crypt:{path}#other").resolve()
    assert Secret(CANARY) == SecretReference(f"crypt:{path}#{NAME}").resolve()


def test_a_reference_may_begin_at_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell expands the ~ of an account file."""
    monkeypatch.setenv("HOME", str(path.parent))

    assert Secret(CANARY) == SecretReference(f"crypt:~/{path.name}#{NAME}").resolve()


def test_entries_are_replaced_listed_and_removed(path: Path) -> None:
    """A replacement is told; the last entry may go, too."""
    kept = Vault(path)

    assert (True, False) == (kept.set(NAME, Secret("new")), kept.set("b", Secret("x")))
    assert ["b", NAME] == kept.names()
    assert Secret("new") == kept.get(NAME)
    kept.remove("b")
    kept.remove(NAME)
    assert [] == kept.names()


def test_neither_a_secret_nor_its_name_is_readable_in_the_file(path: Path) -> None:
    """Nor in what lies beside it."""
    for each in path.parent.iterdir():
        assert CANARY.encode() not in each.read_bytes()
        assert b"ann" not in each.read_bytes()


def test_only_the_owner_can_read_it_whatever_the_umask(path: Path) -> None:
    """Made so, and kept so when it is written again."""
    before = os.umask(0)
    try:
        Vault(path).set("b", Secret("x"))
        Vault(path.with_name("new")).set("b", Secret("x"))
    finally:
        os.umask(before)

    assert {0o600} == {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}


@pytest.mark.parametrize("name", ["", "a#b", "a\nb", "\x1b[2J"])
def test_a_name_that_no_reference_could_hold_is_refused(path: Path, name: str) -> None:
    """It could not be asked for."""
    with pytest.raises(POP3UsageError, match="visible characters without '#'"):
        Vault(path).set(name, Secret("x"))


# What goes wrong: each has a sentence of its own


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is not set or empty"),
        ("", "is not set or empty"),
        ("hunter2", "holds no key"),
        ("\u00e4" * 44, "no key"),
    ],
)
def test_a_missing_or_malformed_key_is_told(
    path: Path, value: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the variable, never by what it holds."""
    monkeypatch.delenv("POP3FRAMES_KEY")
    if value is not None:
        monkeypatch.setenv("POP3FRAMES_KEY", value)

    assert said in refusal(path)


def test_another_key_is_told_from_a_damaged_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person does different things about them."""
    monkeypatch.setenv("POP3FRAMES_KEY", new_key())

    assert "encrypted with another key" in refusal(path)


def test_no_changed_bit_goes_unnoticed(path: Path) -> None:
    """In the token it is damage; before it, another key or no credentials file at all."""
    whole = path.read_bytes()
    said = []
    for at in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        said.append(refusal(path).removeprefix(str(path)))

    assert {"is not a", "was encrypted with", "was changed or"} == {
        " ".join(each.split()[:3]) for each in said
    }
    path.write_bytes(whole[:-20])
    assert "was changed or damaged" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"password=hunter2\n", b"\xff\xfe\n\n\n"])
def test_another_kind_of_file_is_told(path: Path, content: bytes) -> None:
    """A plain one, above all."""
    path.write_bytes(content)

    assert "is not a file of encrypted credentials" in refusal(path)


def test_a_missing_file_and_a_missing_entry_are_told(path: Path) -> None:
    """With the command that helps."""
    with pytest.raises(POP3UsageError, match=r"has no entry 'bob'.*credentials list"):
        Vault(path).get("bob")
    with pytest.raises(POP3UsageError, match="has no entry 'bob'"):
        Vault(path).remove("bob")
    path.unlink()
    assert "credentials set" in refusal(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    """With the advice to change what may have been read."""
    path.chmod(mode)

    assert "chmod 600" in refusal(path)


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe", "huge"])
def test_what_is_no_ordinary_file_is_refused(path: Path, kind: str) -> None:
    """Neither followed nor waited for; and nothing is written in its place."""
    other = path.with_name("other")
    path.rename(other)
    if kind.endswith("link"):
        path.symlink_to(other if kind == "link" else "nowhere")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    else:
        write_private(path, bytes(vault.LARGEST_FILE + 1))

    assert ("symbolic link" if kind.endswith("link") else "no ordinary file") in refusal(path)
    with pytest.raises(POP3UsageError):
        Vault(path).set("b", Secret("x"))
    assert path.is_symlink() == kind.endswith("link")


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """By the name of the file, not of its lock."""
    with pytest.raises(POP3UsageError, match=r"cannot use .*/no/vault: No such file"):
        Vault(tmp_path / "no" / "vault").set("b", Secret("x"))


def test_a_missing_package_is_told_with_the_extra_that_brings_it() -> None:
    """In words for pip."""
    with pytest.raises(POP3UsageError, match=r"needs the package nosuch: pip install 'pop3frames\[crypt\]'"):
        vault.extra("nosuch.fernet", "crypt")


# Writing


def test_a_write_that_fails_leaves_the_old_file_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing beside it."""
    before = sorted(each.name for each in path.parent.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(POP3UsageError, match=r"cannot use .*No space left") as raised:
        Vault(path).set("b", Secret(CANARY))
    monkeypatch.undo()

    assert CANARY not in everything(raised.value)
    assert before == sorted(each.name for each in path.parent.iterdir())


def test_a_file_appears_under_its_name_only_when_it_is_whole_and_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced before the rename, the folder behind it."""
    synced = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), (tmp_path / "f").exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_private(tmp_path / "f", b"content")

    assert [(False, False), (True, True)] == synced
    assert b"content" == read_private(tmp_path / "f")


WRITER = """
import sys
from pop3frames.client.credentials import Secret
from pop3frames.client.vault import Vault
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    Vault(sys.argv[1]).set(f"{sys.argv[2]}{number}", Secret("x"))
"""


def test_two_processes_that_write_at_once_lose_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each reads, adds and writes while the other waits."""
    monkeypatch.setenv("POP3FRAMES_KEY", new_key())
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "f"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for each in running:
        assert each.stdout is not None
        assert "ready\n" == each.stdout.readline()
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in running:
        each.communicate()

    assert [0, 0] == [each.returncode for each in running]
    assert {f"{name}{number}" for name in "ab" for number in range(25)} == set(Vault(tmp_path / "f").names())


def test_a_vault_shows_its_path_and_no_key(path: Path, key: str) -> None:
    """Also where its attributes are turned out."""
    shown = repr(Vault(path)) + repr(vars(Vault(path)))

    assert f"Vault('{path}')" in shown
    assert key not in shown + json.dumps(shown)
