"""Files that only their owner may read: the encrypted credentials file, and what else must be kept like it.

A `Vault` is one file of named secrets, encrypted as a whole, names included, with the key from the
environment variable POP3FRAMES_KEY. Needs `pip install 'pop3frames[crypt]'`. Where a secret is used is not
known here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hmac
import importlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pop3frames.client.credentials import Secret
from pop3frames.errors import POP3UsageError, printable

KEY_VARIABLE = "POP3FRAMES_KEY"
LARGEST_FILE = 1 << 20  # octets: some ten thousand entries

_MAGIC = "pop3frames-credentials-1"


def extra(module: str, name: str) -> ModuleType:
    """An optional package, imported on first use; `name` is the extra of pop3frames that brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as exc:
        raise POP3UsageError(
            f"this needs the package {module.partition('.')[0]}: pip install 'pop3frames[{name}]'"
        ) from exc


def new_key() -> str:
    """A random key for POP3FRAMES_KEY: 32 octets in base64."""
    key: bytes = extra("cryptography.fernet", "crypt").Fernet.generate_key()
    return key.decode()


class Vault:
    """An encrypted file of named secrets. The key is read, and checked for its form, when this is made."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._cipher = _cipher()  # it hides the key: its repr is that of a plain object
        self._mark = _key_mark()
        if self._cipher is None:
            raise POP3UsageError(
                f"{KEY_VARIABLE} holds no key: it must be what `pop3frames credentials new-key` printed"
            )

    def __repr__(self) -> str:
        return f"Vault({str(self._path)!r})"

    def get(self, name: str) -> Secret:
        """One secret. POP3UsageError where the file, the entry or the right key is missing."""
        entries = self._read()
        if name not in entries:
            raise POP3UsageError(
                f"{self._shown} has no entry {printable(name)!r}; "
                "`pop3frames credentials list` shows what it has"
            )
        return entries[name]

    def names(self) -> list[str]:
        """The entries, sorted."""
        return sorted(self._read())

    def set(self, name: str, secret: Secret) -> bool:
        """Keep a secret; True when it replaced one. The file is made if missing."""
        if not name or "#" in name or not name.isprintable():
            raise POP3UsageError("the name of an entry must be visible characters without '#'")
        with _locked(self._path):
            entries = self._read() if os.path.lexists(self._path) else {}
            replaced = name in entries
            self._write(entries | {name: secret})
        return replaced

    def remove(self, name: str) -> None:
        """Forget a secret. POP3UsageError when there is none of that name."""
        with _locked(self._path):
            entries = self._read()
            if entries.pop(name, None) is None:
                raise POP3UsageError(f"{self._shown} has no entry {printable(name)!r}")
            self._write(entries)

    @property
    def _shown(self) -> str:
        return printable(str(self._path))

    def _read(self) -> dict[str, Secret]:
        content = read_private(self._path)
        if content is None:
            raise POP3UsageError(
                f"there is no file {self._shown}: `pop3frames credentials set` makes it with its first entry"
            )
        magic, _, rest = content.decode(errors="replace").partition("\n")
        key_mark, _, token = rest.partition("\n")
        if magic != _MAGIC or not token:
            raise POP3UsageError(f"{self._shown} is not a file of encrypted credentials")
        if not hmac.compare_digest(key_mark.encode(), self._mark.encode()):
            raise POP3UsageError(
                f"{self._shown} was encrypted with another key than the one in {KEY_VARIABLE}"
            )
        entries = _decrypted(self._cipher, token)
        if entries is None:
            raise POP3UsageError(f"{self._shown} was changed or damaged: restore it, or set its entries anew")
        return entries

    def _write(self, entries: dict[str, Secret]) -> None:
        token = _encrypted(self._cipher, entries)
        write_private(self._path, f"{_MAGIC}\n{self._mark}\n{token}\n".encode())


def _cipher() -> Any:
    """Fernet with the key from the environment; None where that is no key. Here nothing is raised with it."""
    fernet = extra("cryptography.fernet", "crypt")
    if not os.environ.get(KEY_VARIABLE):
        raise POP3UsageError(
            f"the environment variable {KEY_VARIABLE} is not set or empty: it must hold the key of the file"
        )
    try:
        return fernet.Fernet(os.environ[KEY_VARIABLE].strip())
    except ValueError:
        return None


def _key_mark() -> str:
    """Tells a wrong key from a damaged file, and gives nothing of a random key of 256 bits away."""
    key = os.environ.get(KEY_VARIABLE, "").strip().encode(errors="surrogateescape")
    return hmac.new(key, _MAGIC.encode(), "sha256").hexdigest()[:16]


def _encrypted(cipher: Any, entries: dict[str, Secret]) -> str:
    token: bytes = cipher.encrypt(
        json.dumps({name: secret.reveal() for name, secret in entries.items()}).encode()
    )
    return token.decode()


def _decrypted(cipher: Any, token: str) -> dict[str, Secret] | None:
    """The entries, or None where the seal is broken; nothing is raised while they are in the open."""
    try:
        return {name: Secret(value) for name, value in json.loads(cipher.decrypt(token.strip())).items()}
    except (ValueError, AttributeError, extra("cryptography.fernet", "crypt").InvalidToken):
        return None


# Files


def read_private(path: Path) -> bytes | None:
    """A file that only its owner can read, whole; None if there is none. POP3UsageError if others can."""
    try:
        # Without O_NONBLOCK a named pipe in its place would hold us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise _unusable(path, exc) from exc
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
            raise POP3UsageError(f"{printable(str(path))} is no ordinary file, or far too large")
        if status.st_mode & 0o077:
            raise POP3UsageError(
                f"other users of this machine can use {printable(str(path))}: "
                "chmod 600 it, and change the secrets in it if they may have been read"
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST_FILE)
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """The file with this content and mode 0600, at once and whole, also after a power cut."""
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(
            staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the new name, too
        finally:
            os.close(folder)
    except OSError as exc:
        raise _unusable(path, exc) from exc


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among processes and threads that change this file. The lock stays: removing it would race."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise _unusable(path, exc) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _unusable(path: Path, exc: OSError) -> POP3UsageError:
    if exc.errno == errno.ELOOP:
        return POP3UsageError(f"{printable(str(path))} is a symbolic link: name the file itself")
    return POP3UsageError(f"cannot use {printable(str(path))}: {exc.strerror}")
