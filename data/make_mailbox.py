"""Writes the sample mailbox, `mailbox/*.eml`, and the table of oddities in README.md beside this file.

Run it after a change of `samples/`: python data/make_mailbox.py. The same sources always give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))  # so that `samples` is found when this file is loaded by its path

from samples.building import Sample  # noqa: E402
from samples.mail import compose, truth_of  # noqa: E402
from samples.odd_addresses import ODD_ADDRESSES  # noqa: E402
from samples.odd_attachments import ODD_ATTACHMENTS  # noqa: E402
from samples.odd_bodies import ODD_BODIES  # noqa: E402
from samples.odd_charsets import ODD_CHARSETS  # noqa: E402
from samples.odd_headers import ODD_HEADERS  # noqa: E402
from samples.odd_subjects import ODD_SUBJECTS  # noqa: E402
from samples.odd_trees import ODD_TREES  # noqa: E402
from samples.ordinary_april import APRIL  # noqa: E402
from samples.ordinary_february import FEBRUARY  # noqa: E402
from samples.ordinary_january import JANUARY  # noqa: E402
from samples.ordinary_march import MARCH  # noqa: E402
from samples.ordinary_may_june import MAY_JUNE  # noqa: E402

ORDINARY = (*JANUARY, *FEBRUARY, *MARCH, *APRIL, *MAY_JUNE)
ODD = (
    *ODD_SUBJECTS,
    *ODD_HEADERS,
    *ODD_ADDRESSES,
    *ODD_CHARSETS,
    *ODD_BODIES,
    *ODD_ATTACHMENTS,
    *ODD_TREES,
)
TABLE_BEGINS = "| file | what is odd |\n|---|---|\n"


def ordinary_samples() -> list[Sample]:
    """The ordinary messages in the order of their dates, which their names keep."""
    ids = {mail.slug: mail.message_id for mail in ORDINARY}
    return [
        Sample(f"mail-{number:03d}-{mail.slug}.eml", compose(mail, ids), truth_of(mail))
        for number, mail in enumerate(ORDINARY, start=1)
    ]


def odd_samples() -> list[Sample]:
    """The odd messages, sorted by name."""
    return sorted(ODD, key=lambda sample: sample.name)


def samples() -> list[Sample]:
    """The whole mailbox in its order: message number 1 is the first."""
    return [*ordinary_samples(), *odd_samples()]


def write_mailbox(folder: Path) -> None:
    """One file a message; files of messages that no longer exist are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    mailbox = {sample.name: sample.raw for sample in samples()}
    for path in folder.glob("*.eml"):
        if path.name not in mailbox:
            path.unlink()
    for name, raw in mailbox.items():
        (folder / name).write_bytes(raw)


def readme_with_table(readme: str) -> str:
    """The text of the README with the table of oddities, its last section, brought up to date."""
    rows = "".join(f"| `{sample.name}` | {sample.oddity} |\n" for sample in odd_samples())
    before, begins, _ = readme.partition(TABLE_BEGINS)
    return before + begins + rows


if __name__ == "__main__":
    write_mailbox(HERE / "mailbox")
    page = HERE / "README.md"
    page.write_text(readme_with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
