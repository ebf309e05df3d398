"""A TCP relay that holds every byte back for a while in each direction: a distant server on loopback.

    with DelayRelay(server.port, 0.05) as relay:   # a round trip of 100 ms
        ...  # a client at relay.port

It shows round trips, not slow start: the kernel's own TCP does not see the delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

LOOPBACK = "127.0.0.1"
_CHUNK = 256 << 10


class DelayRelay:
    """Passes bytes on, `seconds` later, while a `with` block runs."""

    def __init__(self, target: int, seconds: float) -> None:
        self._target, self._seconds = target, seconds
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._in_loop(asyncio.start_server(self._connected, LOOPBACK, 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        self._in_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _in_loop(self, work: object) -> asyncio.Server:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()  # type: ignore[arg-type]

    async def _stop(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other_writer = await asyncio.open_connection(LOOPBACK, self._target)
        try:
            await asyncio.gather(self._pass_on(reader, other_writer), self._pass_on(other_reader, writer))
        except asyncio.CancelledError:
            pass  # the block ended; asyncio's streams complain of a task that was cancelled
        finally:
            for each in (writer, other_writer):
                each.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sending = asyncio.ensure_future(self._send(waiting, writer))
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                waiting.put_nowait((self._loop.time() + self._seconds, data))
        waiting.put_nowait((self._loop.time() + self._seconds, b""))
        await sending

    async def _send(self, waiting: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(due - self._loop.time())
                if not data:
                    writer.write_eof()
                    return
                writer.write(data)
                await writer.drain()
