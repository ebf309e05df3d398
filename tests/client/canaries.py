"""Everything an error gives away: messages, attributes, locals of its frames, and the same of its causes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType

CANARY = "canary-5e3b"


def frames_of(trace: TracebackType | None) -> Iterator[str]:
    """What a verbose traceback shows of every frame: its locals, and the attributes of each of them.

    Not of the tests' own frames, which hold the canary for good reasons.
    """
    while trace is not None:
        if "/tests/" not in trace.tb_frame.f_code.co_filename:
            for value in trace.tb_frame.f_locals.values():
                yield repr(value)
                yield repr(getattr(value, "__dict__", ""))
        trace = trace.tb_next


def everything(error: BaseException | None) -> str:
    """All an error gives away."""
    shown = []
    while error is not None:
        shown += [str(error), repr(error), repr(vars(error)), *frames_of(error.__traceback__)]
        shown += traceback.format_exception(error)
        own = traceback.TracebackException.from_exception(error, capture_locals=True)
        shown += [repr(frame.locals) for frame in own.stack if "/tests/" not in frame.filename]
        error = error.__cause__ or error.__context__
    return "\n".join(shown)
