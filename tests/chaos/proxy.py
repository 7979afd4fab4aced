"""A TCP proxy that slows, holds, refuses or resets its traffic, in its own thread."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, TypeVar

LOOPBACK: Final = "127.0.0.1"
CHUNK_BYTES: Final = 65_536

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger
_T = TypeVar("_T")

Filter: TypeAlias = Callable[[bytes], bytes]
"""Sees each piece that goes one way and returns what to hand on now; raises ConnectionResetError to cut."""


@dataclass(frozen=True, slots=True)
class _Mode:
    delay_seconds: float = 0.0
    holds: bool = False
    refuses: bool = False


class Proxy:
    """A proxy in front of a server on this machine; clients connect to `port`.

    A mode is in effect when its method returns, for current and future connections.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self._listener = socket.create_server((LOOPBACK, 0), backlog=1_024)
        self.port: int = self._listener.getsockname()[1]
        self._mode = _Mode()
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._links: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy of {server_port}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Reset all connections and free the port."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    def pass_all(self) -> None:
        """Pass everything through immediately, including held data."""
        self._do(self._enter(_Mode()))

    def delay(self, seconds: float) -> None:
        """Delay each piece by this much, in both directions."""
        self._do(self._enter(_Mode(delay_seconds=seconds)))

    def blackhole(self) -> None:
        """Accept connections and bytes, but hold them back: a network that delivers packets late."""
        self._do(self._enter(_Mode(holds=True)))

    def refuse(self) -> None:
        """Reset current and new connections."""
        self._do(self._enter(_Mode(refuses=True)))
        self.reset()

    def reset(self) -> int:
        """Reset all connections, and return how many there were."""
        return self._do(self._reset())

    def filters(self) -> tuple[Filter, Filter]:
        """What one new connection's requests and answers go through."""
        return bytes, bytes

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _enter(self, mode: _Mode) -> None:
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()

    async def _reset(self) -> int:
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._link, sock=self._listener)
        await self._ending.wait()
        server.close()
        await self._reset()

    async def _link(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """A client's connection, and its counterpart to the server."""
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        ends = [to_client]
        try:
            if self._mode.refuses or self._ending.is_set():
                raise ConnectionRefusedError
            await self._passage()
            from_server, to_server = await asyncio.open_connection(LOOPBACK, self.server_port)
            ends.append(to_server)
            asked, answered = self.filters()
            await _both(
                self._pump(from_client, to_server, asked),
                self._pump(from_server, to_client, answered),
            )
            for end in ends:
                end.close()
                await end.wait_closed()
        except (OSError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            self._links.discard(link)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, filtered: Filter) -> None:
        while True:
            piece = await reader.read(CHUNK_BYTES)
            await self._passage()
            if not piece:
                writer.write_eof()
                return
            writer.write(filtered(piece))
            await writer.drain()

    async def _passage(self) -> None:
        """Return when the next piece may be passed on."""
        await asyncio.sleep(self._mode.delay_seconds)
        while self._mode.holds:
            await self._changed.wait()


async def _both(*works: Coroutine[Any, Any, None]) -> None:
    """Run both until they end; an error in one ends the other."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(end: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # the other side was faster
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    end.transport.abort()
