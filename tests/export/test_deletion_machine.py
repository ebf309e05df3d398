"""Any order of deliveries, exports, prunings and deletions on any server: the law holds after each step."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from export.deletion_oracle import ALL, durable
from export.mailboxes import ANN, account_of, mail
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pop3frames.client.retry import Retry
from pop3frames.errors import POP3CommandError, POP3ConnectionError, POP3UsageError
from pop3frames.export.deletion import commit_deletions, plan_deletions
from pop3frames.export.mailbox import export_mailbox
from pop3frames.export.report import DeletionReport
from pop3frames.frames.dataset import Dataset
from pop3frames.server.embedded import EmbeddedServer
from pop3frames.server.faults import AnyFault, Drop, Say, Status
from pop3frames.server.features import Features
from pop3frames.server.maildrop import Maildrop, StoredMessage

FAULTS: list[list[AnyFault]] = [
    [],
    [],
    [Drop("QUIT")],
    [Drop("QUIT", executed=False)],
    [Status("QUIT", b"-ERR [SYS/TEMP] later")],
    [Drop("DELE", nth=2)],
    [Say("DELE", b"-ERR no\r\n", nth=1)],
    [Drop("RETR", octets=40, nth=1)],
    [Say("RETR", b"-ERR no\r\n", nth=2)],
]
AT_FAULT = st.sampled_from(FAULTS)
VERIFY = st.sampled_from(["hash", "uidl"])
PICK = st.integers(0, 9)


class Deletions(RuleBasedStateMachine):
    """A mailbox that lives, a dataset, and a plan that may grow old.

    `gone` is the mail that the server or another client took away by itself: that one nobody can answer for.
    """

    @initialize(gmail=st.booleans(), pipelining=st.booleans())
    def begin(self, gmail: bool, pipelining: bool) -> None:
        self.home = Path(tempfile.mkdtemp())
        self.folder = self.home / "mail"
        expiring: dict[str, Any] = {"expire": 0, "removes_retrieved": True} if gmail else {}
        self.features = Features(pipelining=pipelining, **expiring)
        self.maildrop, self.delivered = Maildrop(), list[StoredMessage]()
        self.gone: set[bytes] = set()
        self.plan: pd.DataFrame | None = None
        for octets in (300, 400, 500):
            self.deliver(octets)
        self.export(keep_raw=True, faults=[])
        self.make_a_plan()
        for octets in (600, 700):
            self.deliver(octets)

    def teardown(self) -> None:
        if hasattr(self, "home"):
            shutil.rmtree(self.home)

    # The server and other clients

    @rule(octets=st.integers(200, 900))
    def deliver(self, octets: int) -> None:
        message = mail(len(self.delivered) + 1, octets)
        self.delivered.append(message)
        self.maildrop.add(message)

    @rule()
    def renumber(self) -> None:
        self.maildrop.rearrange(lambda messages: messages[::-1])

    @rule(at=PICK)
    def take_away(self, at: int) -> None:
        """Another client, or the server, removes one."""
        there = self.maildrop.messages
        if there:
            self.gone.add(there[at % len(there)].raw)
            self.maildrop.rearrange(
                lambda messages: messages[: at % len(messages)] + messages[at % len(messages) + 1 :]
            )

    @rule(at=PICK, other=PICK)
    def reuse(self, at: int, other: int) -> None:
        """New mail under a unique-id that was, or is, another's; of another size."""
        if self.delivered:
            uidl = self.delivered[at % len(self.delivered)].uidl
            message = StoredMessage(mail(len(self.delivered) + 1, 1000 + 40 * len(self.delivered)).raw, uidl)
            self.delivered.append(message)
            self.maildrop.add(message)

    # The dataset

    @rule(keep_raw=st.booleans(), faults=AT_FAULT)
    def export(self, keep_raw: bool, faults: list[AnyFault]) -> None:
        before = self.maildrop.messages
        self.at_server(
            faults, lambda server: export_mailbox(account_of(server), self.folder, keep_raw=keep_raw) and None
        )
        # Only where QUIT hides what was fetched may mail go; then all that was fetched is durable.
        assert before == self.maildrop.messages or self.features.removes_retrieved

    @rule()
    def compact(self) -> None:
        Dataset(self.folder).compact()

    @precondition(lambda self: self.folder.exists())
    @rule()
    def prune(self) -> None:
        """Bytes are given up on purpose: what is gone from the server by then is nobody's any more."""
        there = {message.raw for message in self.maildrop.messages}
        self.gone |= {message.raw for message in self.delivered if message.raw not in there}
        Dataset(self.folder).prune(before=datetime(2100, 1, 1, tzinfo=UTC))

    # Deletions

    @rule(faults=AT_FAULT)
    def export_and_delete(self, faults: list[AnyFault]) -> None:
        def run(server: EmbeddedServer) -> DeletionReport | None:
            try:
                return export_mailbox(account_of(server), self.folder, keep_raw=True, delete=True).deleted
            except POP3ConnectionError as exc:
                return exc.report.deleted if exc.report else None

        self.deletion(faults, run)

    @rule()
    def make_a_plan(self) -> None:
        with EmbeddedServer(self.maildrop, features=self.features) as server:
            self.plan = plan_deletions(account_of(server), self.folder)

    @rule(verify=VERIFY, faults=AT_FAULT, mask=st.sampled_from([255, 254, 85, 1]), anew=st.booleans())
    def commit(self, verify: Any, faults: list[AnyFault], mask: int, anew: bool) -> None:
        if anew:
            self.make_a_plan()
        assert self.plan is not None
        plan = self.plan.copy()
        plan["delete"] = [bool(go and mask >> at % 8 & 1) for at, go in enumerate(plan["delete"])]

        def run(server: EmbeddedServer) -> DeletionReport | None:
            try:
                return commit_deletions(
                    account_of(server), self.folder, plan, verify=verify, empty_mailbox=True, most=ALL
                )
            except POP3ConnectionError as exc:
                report: DeletionReport | None = exc.report
                return report

        self.deletion(faults, run)

    @rule(at=PICK, verify=VERIFY)
    def commit_any_ids(self, at: int, verify: Any) -> None:
        """Of mail that may never have been stored."""
        wanted = [message.uidl for message in self.delivered[at::2]]

        def run(server: EmbeddedServer) -> DeletionReport | None:
            with contextlib.suppress(POP3UsageError):  # it would have emptied the mailbox
                return commit_deletions(account_of(server), self.folder, wanted, verify=verify)
            return None

        self.deletion([], run)

    def deletion(
        self, faults: list[AnyFault], run: Callable[[EmbeddedServer], DeletionReport | None]
    ) -> None:
        """What went was durable before it went, and the report tells no lie about it."""
        before = self.maildrop.messages
        report = self.at_server(faults, run)
        after = self.maildrop.messages
        went = [message for message in before if not any(message is each for each in after)]
        assert {message.raw for message in went} <= durable(self.folder)
        if report is not None:
            uidls = {message.uidl for message in went}
            # A unique-id of two messages names none: where QUIT hides what was fetched, they go unnamed.
            times = Counter(message.uidl for message in before)
            named = {uidl for uidl in uidls if times[uidl] == 1}
            assert named <= {*report.confirmed, *report.unknown}
            assert set(report.confirmed) <= uidls
            assert not set(report.refused) & uidls
            assert [] == [uidl for uidl in report.confirmed if uidl in report.refused]

    def at_server(
        self, faults: list[AnyFault], run: Callable[[EmbeddedServer], DeletionReport | None]
    ) -> DeletionReport | None:
        report = None
        with EmbeddedServer(self.maildrop, features=self.features, faults=faults) as server:
            with contextlib.suppress(POP3CommandError, POP3ConnectionError):
                report = run(server)
            while self.maildrop._open:
                pass
        return report

    # The law

    @invariant()
    def nothing_is_lost_and_nothing_twice(self) -> None:
        if not hasattr(self, "home"):
            return
        there = {message.raw for message in self.maildrop.messages}
        kept = durable(self.folder)
        assert {message.raw for message in self.delivered} <= there | kept | self.gone
        table = Dataset(self.folder).to_table(["uidl", "contentHash"], ANN).to_pylist()
        keyed = [row["uidl"] for row in table if row["uidl"] is not None]
        loose = [row["contentHash"] for row in table if row["uidl"] is None]
        assert (len(keyed), len(loose)) == (len(set(keyed)), len(set(loose)))
        known = {hashlib.sha256(message.raw).hexdigest() for message in self.delivered}
        assert {row["contentHash"] for row in table} <= known


@pytest.fixture(autouse=True, scope="module")
def no_pauses() -> Any:
    """A busy mailbox or a lost session is tried again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pop3frames.client.connection._RETRY", Retry(sleep=lambda _: None))
        patch.setattr("pop3frames.export.passes.PAUSES", Retry(sleep=lambda _: None))
        yield


TestDeletions = Deletions.TestCase
TestDeletions.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
    ],
)
