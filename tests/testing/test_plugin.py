"""The pytest plugin as a project that has pop3frames installed meets it: real runs of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from pop3frames.errors import POP3UsageError
from pop3frames.export.snapshot import record_mailbox
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.testing import storing
from pop3frames.testing.environment import account_from_environment, server_environment, variables_set
from pop3frames.testing.mailboxes import account_of

pytest_plugins = ["pytester"]


def eml(folder: Path, count: int) -> Path:
    """A folder with so many mails."""
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.eml").write_text(f"Subject: mail {number}\n\n")
    return folder


def passed(pytester: pytest.Pytester, *arguments: str, count: int = 1) -> None:
    """pytest, strict about markers and warnings, with so many tests that pass and nothing else."""
    run = pytester.runpytest_inprocess("--strict-markers", "-Werror", "-pno:cacheprovider", *arguments)
    run.assert_outcomes(passed=count)


def test_the_three_fixtures_work_on_the_sample_mailbox(pytester: pytest.Pytester) -> None:
    """A server, its account, and a dataset with the original bytes, with nothing configured."""
    pytester.makepyfile("""
        def test_server(pop3_server):
            assert len(pop3_server.maildrop) == 160

        def test_account(pop3_account):
            assert len(pop3_account.handler().uidl()) == 160

        def test_dataset(pop3_dataset):
            table = pop3_dataset.to_table(columns=["account", "raw"])
            assert table.num_rows == 160
            assert set(table["account"].to_pylist()) == {"test"}
            assert None not in table["raw"].to_pylist()
    """)
    passed(pytester, count=3)


def test_what_a_test_deletes_is_there_again_for_the_next(pytester: pytest.Pytester) -> None:
    """Each test has a server of its own."""
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("n", [1, 2])
        def test_it(pop3_account, n):
            handler = pop3_account.handler()
            assert handler.delete_messages([1, 2]) == (2, 0)
            assert handler.get_mailbox_stat()[0] == 158
    """)
    passed(pytester, count=2)


def test_an_ini_option_says_which_mailbox(pytester: pytest.Pytester) -> None:
    """Relative to the ini file, whatever folder pytest is called in."""
    eml(pytester.path / "mail", 3)
    pytester.makeini("[pytest]\npop3_mailbox = mail")
    below = pytester.mkdir("below")
    (below / "test_it.py").write_text("def test_it(pop3_server): assert len(pop3_server.maildrop) == 3\n")
    passed(pytester, "below")


def test_the_command_line_wins_over_the_ini_file_and_a_marker_over_both(pytester: pytest.Pytester) -> None:
    """A marker's path is relative to the test's file; it may hold mails, and a server's options."""
    for name, count in (("ini", 2), ("line", 3)):
        eml(pytester.path / name, count)
    eml(pytester.mkdir("tests") / "own", 4)
    pytester.makeini("[pytest]\npop3_mailbox = ini\npythonpath = .")
    (pytester.path / "tests" / "test_it.py").write_text("""
import pytest
from pop3frames import Features

def test_line(pop3_server):
    assert len(pop3_server.maildrop) == 3

@pytest.mark.pop3_mailbox("own")
def test_marker(pop3_server):
    assert len(pop3_server.maildrop) == 4

@pytest.mark.pop3_mailbox([b"Subject: x", b"Subject: y"], features=Features(uidl=False))
def test_mails(pop3_account):
    assert pop3_account.handler().uidl() == {}
    assert [m["subject"] for m in pop3_account.handler().fetch_messages()] == ["x", "y"]
""")
    passed(pytester, "--pop3-mailbox", "line", count=3)


def test_a_snapshot_and_an_mbox_are_mailboxes_too(pytester: pytest.Pytester) -> None:
    """Whatever `pop3frames serve` serves."""
    with EmbeddedServer([b"Subject: a", b"Subject: b"]) as server:
        record_mailbox(account_of(server), pytester.path / "snapshot")
    (pytester.path / "one.mbox").write_text("From x\nSubject: one\n\n")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.pop3_mailbox("snapshot")
        def test_snapshot(pop3_server):
            assert len(pop3_server.maildrop) == 2

        @pytest.mark.pop3_mailbox("one.mbox")
        def test_mbox(pop3_server):
            assert len(pop3_server.maildrop) == 1
    """)
    passed(pytester, count=2)


def test_a_mailbox_that_is_not_there_is_said_in_a_sentence(pytester: pytest.Pytester) -> None:
    """No traceback of ours: the test's author is to change a path."""
    pytester.makepyfile("def test_it(pop3_server): pass")
    run = pytester.runpytest_inprocess("--pop3-mailbox", "nowhere")
    run.assert_outcomes(errors=1)
    run.stdout.fnmatch_lines(["*nowhere does not exist: give a folder of .eml files*"])
    run.stdout.no_fnmatch_line("*Traceback*")
    run.stdout.no_fnmatch_line("*plugin.py*")
    run = pytester.runpytest_inprocess("--pop3-mailbox", "nowhere", "--pop3-environment")
    assert 4 == run.ret
    run.stderr.fnmatch_lines(["ERROR: *nowhere does not exist*"])


def test_child_processes_find_the_mailbox_in_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --pop3-environment, for the whole run; afterwards the variables are what they were."""
    monkeypatch.setenv("POP3FRAMES_HOST", "pop.example.org")
    monkeypatch.delenv("POP3FRAMES_PORT", raising=False)
    eml(pytester.path / "mail", 5)
    pytester.makepyfile("""
        import subprocess, sys

        CHILD = "import pop3frames as p; print(len(p.account_from_environment().handler().uidl()))"

        def test_it():
            done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
            assert (done.stdout, done.stderr) == ("5\\n", "")
    """)
    run = pytester.runpytest_inprocess("--pop3-mailbox", "mail", "--pop3-environment")
    run.assert_outcomes(passed=1)
    run.stdout.fnmatch_lines(["pop3frames: 5 messages served to notebooks"])
    assert "pop.example.org" == os.environ["POP3FRAMES_HOST"]
    assert "POP3FRAMES_PORT" not in os.environ


def test_starting_pytest_loads_nothing_heavy() -> None:
    """The plugin is in every run of every project: neither tables nor sockets come with it."""
    heavy = ("pandas", "pyarrow", "numpy", "ipywidgets", "tqdm", "keyring", "click", "nbformat", "nbclient")
    code = f"import sys, pop3frames.testing.plugin; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


# The environment


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No POP3FRAMES_ variable that names a mailbox."""
    for name in ("HOST", "PORT", "USERNAME", "PASSWORD", "SECRET", "ENCRYPTION", "ACCOUNT", "CAFILE", "AUTH"):
        monkeypatch.delenv(f"POP3FRAMES_{name}", raising=False)
    return monkeypatch


def test_a_server_that_is_named_is_the_one_that_is_read(clean: pytest.MonkeyPatch) -> None:
    """What `server_environment` says, `account_from_environment` understands."""
    with EmbeddedServer([b"Subject: x"]) as server:
        for name, value in server_environment(server).items():
            clean.setenv(name, value)
        account = account_from_environment()
        assert "x" == account.handler().fetch_messages()[0]["subject"]
    assert server.password not in repr(account)
    assert "user@127.0.0.1" == account.name
    assert "mine" == account_from_environment("mine").name


def test_what_was_set_for_a_real_mailbox_is_not_meant_for_a_served_one(clean: pytest.MonkeyPatch) -> None:
    """Whoever has named a mailbox of their own, with tokens, can check against a recorded one."""
    real = {"AUTH": "XOAUTH2", "CAFILE": "/nowhere.pem", "ACCOUNT": "real", "SECRET": "keyring:pop/ann"}
    for name, value in real.items():
        clean.setenv(f"POP3FRAMES_{name}", value)
    with EmbeddedServer([b"Subject: x"]) as server, variables_set(server_environment(server)):
        account = account_from_environment()
        assert 1 == len(account.handler().fetch_messages())
    assert (None, None, "user@127.0.0.1") == (account.auth, account.cafile, account.name)
    assert "real" == os.environ["POP3FRAMES_ACCOUNT"]


def test_where_nobody_can_type_a_password_the_variables_are_named(
    clean: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A notebook that is run as a check has no line to type at: an error of ours, and not the kernel's."""
    notebook = new_notebook(
        cells=[
            new_code_cell("from pop3frames import account_from_environment"),
            new_code_cell("account_from_environment().handler().fetch_messages()"),
        ]
    )
    with EmbeddedServer([b"Subject: x"]) as server:
        for name, value in server_environment(server).items():
            clean.setenv(name, value)
        clean.delenv("POP3FRAMES_PASSWORD")
        with pytest.raises(CellExecutionError) as raised:
            storing.run(notebook, tmp_path)
    assert "POP3UsageError" == raised.value.ename
    assert "POP3FRAMES_PASSWORD or POP3FRAMES_SECRET" in raised.value.evalue


def test_a_real_mailbox_takes_two_variables(clean: pytest.MonkeyPatch) -> None:
    """TLS and its port are the default; the password is asked for, or kept where a reference says."""
    clean.setenv("POP3FRAMES_HOST", "pop.example.org")
    clean.setenv("POP3FRAMES_USERNAME", "ann")
    account = account_from_environment()
    assert ("ssl", 995, "prompt") == (account.encryption, account.port, account.secret.text)
    clean.setenv("POP3FRAMES_SECRET", "keyring:pop/ann")
    clean.setenv("POP3FRAMES_ENCRYPTION", "tls")
    clean.setenv("POP3FRAMES_ACCOUNT", "support")
    account = account_from_environment()
    assert ("tls", 110, "keyring:pop/ann") == (account.encryption, account.port, account.secret.text)
    assert "support" == account.name


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "set POP3FRAMES_HOST and POP3FRAMES_USERNAME"),
        ({"HOST": "pop.example.org"}, "set POP3FRAMES_USERNAME"),
        ({"HOST": "h", "USERNAME": "u", "PORT": "pop3"}, "POP3FRAMES_PORT must be a number, not pop3"),
        ({"HOST": "h", "USERNAME": "u", "ENCRYPTION": "yes"}, "encryption must be 'ssl', 'tls' or 'none'"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    clean: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    """By the variable that is to be set."""
    for name, value in variables.items():
        clean.setenv(f"POP3FRAMES_{name}", value)
    with pytest.raises(POP3UsageError, match=said):
        account_from_environment()
