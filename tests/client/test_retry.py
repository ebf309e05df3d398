"""Attempts and the pauses between them, without waiting for any."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pop3frames.client.retry import Retry
from pop3frames.errors import POP3AuthenticationError, POP3BusyError, POP3ConnectionError, POP3Error


def _failing(times: int, error: POP3Error) -> Callable[[], str]:
    left = [error] * times

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return operation


def test_a_first_success_needs_no_pause() -> None:
    """The result comes back, nobody slept."""
    naps: list[float] = []

    assert Retry(sleep=naps.append).call(lambda: "done") == "done"
    assert naps == []


def test_pauses_double_from_attempt_to_attempt() -> None:
    """Without chance: half a second, a second, and so on."""
    naps: list[float] = []
    retry = Retry(attempts=4, sleep=naps.append, chance=lambda: 0.0)

    assert retry.call(_failing(3, POP3ConnectionError("lost"))) == "done"
    assert naps == [0.5, 1.0, 2.0]


def test_the_last_failure_is_raised_without_a_pause_behind_it() -> None:
    """Three attempts, two pauses."""
    naps: list[float] = []
    with pytest.raises(POP3ConnectionError, match="lost"):
        Retry(sleep=naps.append).call(_failing(3, POP3ConnectionError("lost")))

    assert len(naps) == 2


@pytest.mark.parametrize(
    "error",
    [
        POP3AuthenticationError("PASS", "wrong"),
        POP3BusyError("PASS", "too soon", "LOGIN-DELAY", retry_after=61),
        POP3ConnectionError("certificate", retryable=False),
    ],
)
def test_what_would_fail_again_is_raised_at_once(error: POP3Error) -> None:
    """A refused login locks accounts when repeated; a bad certificate stays bad."""
    naps: list[float] = []
    with pytest.raises(type(error)):
        Retry(sleep=naps.append).call(_failing(1, error))

    assert naps == []


@given(attempt=st.integers(1, 20), chance=st.floats(0, 1))
def test_chance_only_lengthens_a_pause_and_by_a_quarter_at_most(attempt: int, chance: float) -> None:
    """So that many clients do not come back at the same moment, and none comes early."""
    for pause in (Retry.delay, Retry.busy_pause):
        plain = pause(Retry(chance=lambda: 0.0), attempt)
        actual = pause(Retry(chance=lambda: chance), attempt)

        assert plain <= actual <= plain * 1.25


def test_a_busy_mailbox_is_waited_for_longer_and_longer() -> None:
    """[IN-USE] says that the password is right and the moment is not; after three attempts it is told."""
    naps: list[float] = []
    retry = Retry(sleep=naps.append, chance=lambda: 0.0)
    assert "done" == retry.call(_failing(2, POP3BusyError("PASS", "locked", "IN-USE")))
    with pytest.raises(POP3BusyError, match="locked"):
        retry.call(_failing(3, POP3BusyError("PASS", "locked", "IN-USE")))

    assert naps == [2.0, 4.0, 2.0, 4.0]


def test_a_login_delay_is_waited_out_as_told() -> None:
    """To the second, up to a minute: beyond that somebody should decide."""
    naps: list[float] = []
    error = POP3BusyError("PASS", "too soon", "LOGIN-DELAY", retry_after=60)
    assert "done" == Retry(sleep=naps.append).call(_failing(1, error))

    assert naps == [60]


def test_broken_connections_and_busy_mailboxes_are_counted_apart() -> None:
    """Two of each leave a third attempt to both."""
    lost, busy = POP3ConnectionError("lost"), POP3BusyError("PASS", "locked", "IN-USE")
    outcomes = iter([lost, busy, busy, lost])

    def operation() -> str:
        for error in outcomes:
            raise error
        return "done"

    assert "done" == Retry(sleep=lambda _: None).call(operation)
