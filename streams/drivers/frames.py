"""Lets aiokafka's connections collect a response in the pieces in which it comes, and put them together once.

asyncio's reader copies every piece into a growing buffer and copies the whole out of it; with 64 KiB as its limit it pauses and resumes
the socket, and wakes its reader, for every piece of a response of 8 MiB: 0.5 us of a 1 kB event. aiokafka has no hook for it, so the
protocol class of its connection is replaced; the version is pinned, and every broker test runs on it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from aiokafka import conn


class FrameReader(asyncio.StreamReader):
    """A reader for `readexactly` only. Never pauses: what comes are answers to our own requests, read as soon as they are whole."""

    _pieces: deque[bytes | memoryview]
    _held: int
    _wanted: int

    def begin(self) -> None:
        """Make an empty reader of one that asyncio made."""
        self._pieces = deque()
        self._held = 0
        self._wanted = 1

    def feed_data(self, data: bytes) -> None:  # type: ignore[override] # what transports hand over
        """Take a piece; wake the waiter when it has what it waits for."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= self._wanted:
            self._wakeup_waiter()  # type: ignore[attr-defined]

    def at_eof(self) -> bool:
        """Tell whether all was read and nothing more will come."""
        return bool(self._eof) and not self._held  # type: ignore[attr-defined]

    async def readexactly(self, n: int) -> bytes:
        """Return the next `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the connection ended before.
        """
        if (failed := self.exception()) is not None:
            raise failed
        while self._held < n:
            if self._eof:  # type: ignore[attr-defined]
                raise asyncio.IncompleteReadError(self._take(self._held), n)
            self._wanted = n
            await self._wait_for_data("readexactly")  # type: ignore[attr-defined]
        return self._take(n)

    def _take(self, n: int) -> bytes:
        self._held -= n
        taken: list[bytes | memoryview] = []
        while n:
            piece = self._pieces.popleft()
            if len(piece) > n:
                view = memoryview(piece)
                self._pieces.appendleft(view[n:])
                piece = view[:n]
            taken.append(piece)
            n -= len(piece)
        return b"".join(taken)


class FrameProtocol(conn.AIOKafkaProtocol):  # type: ignore[misc]
    """aiokafka's protocol over a `FrameReader`."""

    def __init__(self, closed: asyncio.Future[Any], reader: asyncio.StreamReader, **named: Any) -> None:
        # aiokafka makes the reader by itself and hands it to the protocol before a byte has come.
        reader.__class__ = FrameReader
        reader.begin()  # type: ignore[attr-defined]
        super().__init__(closed, reader, **named)


def use_frames() -> None:
    """Make every aiokafka connection of this process use a `FrameReader`. Calling twice is safe.

    Raises:
        RuntimeError: aiokafka or asyncio changed.
    """
    needed = [
        (conn, "AIOKafkaProtocol"),
        (asyncio.StreamReader, "_wait_for_data"),
        (asyncio.StreamReader, "_wakeup_waiter"),
    ]
    for owner, name in needed:
        if not hasattr(owner, name):
            raise RuntimeError(f"{owner.__name__} has no {name}; see streams/drivers/frames.py")
    conn.AIOKafkaProtocol = FrameProtocol
