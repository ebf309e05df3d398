"""accounts.toml: what it may say, and that every mistake is told with its line and without a password."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from pop3frames.client.credentials import SecretReference
from pop3frames.errors import POP3UsageError
from pop3frames.export import accountsfile
from pop3frames.export.accounts import Account
from pop3frames.export.accountsfile import load_accounts

CANARY = "hunter2-canary"


def written(path: Path, text: str) -> Path:
    """accounts.toml with that text."""
    file = path / "accounts.toml"
    file.write_text(text)
    return file


def mistakes(path: Path, text: str) -> list[str]:
    """What is said about that text, a mistake each, without the path."""
    file = written(path, text)
    with pytest.raises(POP3UsageError) as caught:
        load_accounts(file)
    shown = "".join(traceback.format_exception(caught.value))
    chained = (caught.value.__cause__, caught.value.__context__)
    assert (None, None) == chained
    locals_ = [
        str(frame.f_locals)
        for frame, _ in traceback.walk_tb(caught.value.__traceback__)
        if frame.f_code.co_filename == accountsfile.__file__
    ]
    assert locals_
    assert CANARY not in "".join([shown, *locals_])
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{file}, line ") for line in lines)
    return [line.removeprefix(f"{file}, line ") for line in lines]


def account(*lines: str, **changes: str) -> str:
    """One good [[account]] on four lines, with further lines behind it; None takes a key away."""
    keys = {"hostname": "'pop.example.org'", "username": "'ann'", "secret": "'env:ANN'"} | changes
    return "\n".join(["[[account]]", *(f"{key} = {value}" for key, value in keys.items()), *lines, ""])


# What it may say


def test_an_account_has_what_is_usual_where_it_says_no_more(tmp_path: Path) -> None:
    """The name is that which the command line gives, so that both find the same rows."""
    [loaded] = load_accounts(written(tmp_path, account()))
    assert Account("ann@pop.example.org", "pop.example.org", 995, "ann", "env:ANN") == loaded


def test_every_setting_arrives(tmp_path: Path) -> None:
    """All keys, in any order; paths start at the file's folder."""
    text = account(
        "utf8 = true",
        "pipelining = false",
        "timeout = 2.5",
        "auth = 'PLAIN'",
        "cafile = 'ca.pem'",
        "encryption = 'tls'",
        "port = 1110",
        "name = 'work'",
        secret="'crypt:mail.vault#ann'",
    )
    expected = Account(
        "work",
        "pop.example.org",
        1110,
        "ann",
        f"crypt:{tmp_path}/mail.vault#ann",
        "tls",
        cafile=f"{tmp_path}/ca.pem",
        timeout=2.5,
        auth="PLAIN",
        pipelining=False,
        utf8=True,
    )
    assert [expected] == load_accounts(written(tmp_path, text))


def test_an_absolute_path_stays_and_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everybody writes them."""
    monkeypatch.setenv("HOME", "/home/ann")
    text = account("cafile = '/etc/ca.pem'", secret="'crypt:~/mail.vault#ann'")
    [loaded] = load_accounts(written(tmp_path, text))
    assert ("/etc/ca.pem", SecretReference("crypt:/home/ann/mail.vault#ann")) == (
        loaded.cafile,
        loaded.secret,
    )


def test_a_preset_stands_for_a_server(tmp_path: Path) -> None:
    """Host, port, encryption and auth are the provider's, as far as the account does not say otherwise."""
    text = (
        "[[account]]\npreset = 'microsoft365'\nusername = 'ann'\nsecret = 'command:tokens ann'\n"
        "[[account]]\npreset = 'gmail'\nusername = 'bob'\nsecret = 'env:B'\nencryption = 'tls'\n"
    )
    ann, bob = load_accounts(written(tmp_path, text))
    assert ("outlook.office365.com", 995, "ssl", "XOAUTH2") == (
        ann.hostname,
        ann.port,
        ann.encryption,
        ann.auth,
    )
    assert ("pop.gmail.com", 110, "tls", None) == (bob.hostname, bob.port, bob.encryption, bob.auth)


def test_defaults_hold_where_an_account_does_not_say_otherwise(tmp_path: Path) -> None:
    """A host of one's own goes before the preset of all."""
    text = (
        "[defaults]\npreset = 'gmail'\ntimeout = 60\nsecret = 'prompt'\n"
        "[[account]]\nusername = 'ann'\n"
        "[[account]]\nusername = 'bob'\nhostname = 'pop.example.org'\nsecret = 'env:B'\ntimeout = 5\n"
    )
    ann, bob = load_accounts(written(tmp_path, text))
    assert ("pop.gmail.com", 60, SecretReference("prompt")) == (ann.hostname, ann.timeout, ann.secret)
    assert ("pop.example.org", 5, SecretReference("env:B")) == (bob.hostname, bob.timeout, bob.secret)


@pytest.mark.parametrize("hostname", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_no_encryption_is_for_loopback(tmp_path: Path, hostname: str) -> None:
    """There nobody reads along."""
    [loaded] = load_accounts(written(tmp_path, account("encryption = 'none'", hostname=f"'{hostname}'")))
    assert ("none", 110) == (loaded.encryption, loaded.port)


def test_no_encryption_beyond_loopback_needs_a_word_of_its_own(tmp_path: Path) -> None:
    """allow_plaintext, beside it or in the defaults; the mistake stands where encryption does."""
    assert [
        "5: without encryption the password can be read on the way to pop.example.org: write "
        "allow_plaintext = true beside it if that is meant"
    ] == mistakes(tmp_path, account("encryption = 'none'"))
    [told] = mistakes(tmp_path, "[defaults]\nencryption = 'none'\n" + account())
    assert told.startswith("2: without encryption")
    allowed = account("encryption = 'none'", "allow_plaintext = true")
    assert "none" == load_accounts(written(tmp_path, allowed))[0].encryption


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    """With the mark that its editors put first, and its line ends."""
    file = tmp_path / "accounts.toml"
    file.write_bytes(b"\xef\xbb\xbf" + account(username="'Ännchen'").replace("\n", "\r\n").encode())
    assert ["Ännchen"] == [each.username for each in load_accounts(file)]


# Mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (account("port = '995'"), "5: port must be a whole number"),
        (account("port = true"), "5: port must be a whole number"),
        (account("port = 70000"), "5: port must be an integer from 1 to 65535"),
        (account("timeout = '30'"), "5: timeout must be a number"),
        (account("timeout = nan"), "5: timeout must be more than 0"),
        (account("timeout = 0"), "5: timeout must be more than 0"),
        (account("utf8 = 1"), "5: utf8 must be true or false"),
        (account(username="5"), "3: username must be text in quotes"),
        (account(username="''"), "3: username must not be empty"),
        (account("encryption = 'starttls'"), "5: encryption must be 'ssl', 'tls' or 'none'"),
        (account("auth = 'NTLM'"), "5: auth must be None or one of"),
        (account("usrname = 'x'"), "5: 'usrname' is not known here: did you mean username?"),
        (account("host = 'x'"), "5: 'host' is not known here: did you mean hostname?"),
        (account("zzz = 1"), "5: 'zzz' is not known here: there are name, hostname, port"),
        (account("preset = 'gmail'"), "1: give hostname or preset, one of them"),
        ("[[account]]\nusername = 'x'\nsecret = 'env:X'\n", "1: give hostname or preset, one of them"),
        (
            "[[account]]\nusername = 'x'\nsecret = 'env:X'\npreset = 'gmial'\n",
            "4: no preset of that name: did you mean 'gmail'",
        ),
        ("[[account]]\nusername = 'x'\nsecret = 'env:X'\npreset = 'generic'\n", "4: generic names no server"),
        ("[[account]]\nusername = 'x'\nhostname = 'h'\n", "1: secret is missing"),
        ("\n[[account]]\nsecret = 'env:X'\nhostname = 'h'\n", "2: username is missing"),
        (account() + account(), "5: the account of line 1 is named 'ann@pop.example.org' as well"),
        (account("[defaults]", "username = 'x'"), "6: username is for one account"),
        (
            "[defaults]\nsecret = 5\n" + "[[account]]\nusername = 'x'\nhostname = 'h'\n" * 2,
            "2: secret must be text",
        ),
        (
            "[defaults]\npreset = 5\n" + "[[account]]\nusername = 'x'\nsecret = 'env:X'\n",
            "2: preset must be text",
        ),
        ("defaults = 1\n" + account(), "1: defaults are a table"),
        ("[account]\nname = 'x'\n", "1: each account is a table in a list: write [[account]]"),
        ("account = ['x']\n", "1: each account is a table in a list"),
        ("[[accounts]]\nname = 'x'\n", "1: 'accounts' is not known here: did you mean account?"),
        ("# nothing\n", "1: there is no account in this file: write [[account]]"),
        ("account = []\n", "1: there is no account in this file: write [[account]]"),
        (account("port ="), "5: this is not TOML: Invalid value: text needs quotes"),
        (account("name = 'a\nb'"), "5: this is not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    """One mistake, one line."""
    [told] = mistakes(tmp_path, text)
    assert told.startswith(said)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (account(secret=f"'{CANARY}'"), 4),
        (account(secret=f"'env{CANARY}'"), 4),
        (account(f"password = '{CANARY}'"), 5),
        (account(f"passwd = '{CANARY}'"), 5),
        (account(f"access_token = '{CANARY}'"), 5),
        (f"[defaults]\npassword = '{CANARY}'\n" + account(), 2),
    ],
)
def test_a_password_in_the_file_is_refused_with_advice_and_never_shown(
    tmp_path: Path, text: str, line: int
) -> None:
    """Not in the words, not in the traceback, not in the locals of a frame of it."""
    [told] = mistakes(tmp_path, text)
    assert told.startswith(f"{line}: a password does not belong in this file: say where it is kept")
    assert "'env:NAME'" in told


@pytest.mark.parametrize(
    "text", [account(f"secret = {CANARY}"), account(f"port = '{CANARY}"), account(secret=f'"{CANARY}\\q"')]
)
def test_a_text_that_is_no_toml_is_not_shown_either(tmp_path: Path, text: str) -> None:
    """A password without its quotes is where that happens."""
    [told] = mistakes(tmp_path, text)
    assert "this is not TOML" in told


def test_all_mistakes_are_told_at_once_and_in_their_order(tmp_path: Path) -> None:
    """Up to twenty of them."""
    text = account("port = 0") + account("utf8 = 'x'") + "[defaults]\nnaem = 1\n"
    assert ["5", "10", "12"] == [each.split(":")[0] for each in mistakes(tmp_path, text)]
    assert 20 == len(mistakes(tmp_path, account("port = 0") * 30))


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    """With its name, and where it is no UTF-8 with the line."""
    with pytest.raises(POP3UsageError, match=r"cannot read .*missing.toml: No such file"):
        load_accounts(tmp_path / "missing.toml")
    with pytest.raises(POP3UsageError, match="cannot read"):
        load_accounts(tmp_path)
    file = tmp_path / "latin.toml"
    file.write_bytes(account().encode() + "name = 'Ännchen'".encode("latin-1"))
    with pytest.raises(POP3UsageError, match=r"latin.toml, line 5: this is not UTF-8"):
        load_accounts(file)


def test_a_file_too_large_to_be_meant_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mailbox named by accident, for example."""
    monkeypatch.setattr(accountsfile, "LARGEST", 1 << 20)
    file = tmp_path / "mbox"
    file.write_bytes(b"#" * (1 << 20) + b"#")
    with pytest.raises(POP3UsageError, match="larger than 1 MiB"):
        load_accounts(file)


def test_no_secret_is_fetched(tmp_path: Path) -> None:
    """Whoever lists accounts needs none of their passwords: a command would leave its trace."""
    load_accounts(written(tmp_path, account(secret=f"'command:touch {tmp_path}/ran'")))
    assert not (tmp_path / "ran").exists()
