"""The reader of aiokafka's connections: whole frames out of any pieces, and asyncio's answers at the end of a connection."""

import asyncio
import random

import pytest
from aiokafka import conn

from hegui.streams.drivers.frames import FrameProtocol, FrameReader, use_frames


def reader() -> FrameReader:
    plain = asyncio.StreamReader(limit=8)
    FrameProtocol(asyncio.get_running_loop().create_future(), plain, loop=asyncio.get_running_loop())
    assert isinstance(plain, FrameReader)
    return plain


@pytest.mark.parametrize("seed", range(20))
async def test_frames_come_whole_whatever_the_pieces(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [chance.choice((1, 4, 30, 300)) for _ in range(20)]
    content = chance.randbytes(sum(sizes))
    ours = reader()

    async def feed() -> None:
        at = 0
        while at < len(content):
            size = chance.choice((1, 3, 50, 700))
            ours.feed_data(content[at : at + size])
            at += size
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        ours.feed_eof()

    feeding = asyncio.ensure_future(feed())
    found = [await ours.readexactly(size) for size in sizes]
    await feeding
    assert b"".join(found) == content
    assert [len(one) for one in found] == sizes
    assert all(type(one) is bytes for one in found)
    assert ours.at_eof()


async def test_an_end_in_the_middle_is_told_with_what_came() -> None:
    ours = reader()
    ours.feed_data(b"abc")
    ours.feed_eof()
    assert not ours.at_eof()
    with pytest.raises(asyncio.IncompleteReadError) as told:
        await ours.readexactly(4)
    assert (told.value.partial, told.value.expected) == (b"abc", 4)
    assert ours.at_eof()


async def test_an_end_wakes_who_waits() -> None:
    ours = reader()
    waiting = asyncio.ensure_future(ours.readexactly(4))
    await asyncio.sleep(0)
    ours.feed_data(b"a")
    ours.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await asyncio.wait_for(waiting, 5)


async def test_a_failed_connection_is_told() -> None:
    ours = reader()
    waiting = asyncio.ensure_future(ours.readexactly(4))
    await asyncio.sleep(0)
    ours.set_exception(ConnectionResetError())
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(ConnectionResetError):
        await ours.readexactly(1)


def test_every_connection_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conn, "AIOKafkaProtocol", conn.AIOKafkaProtocol)
    use_frames()
    use_frames()
    assert conn.AIOKafkaProtocol is FrameProtocol


def test_another_aiokafka_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(conn, "AIOKafkaProtocol")
    with pytest.raises(RuntimeError, match="AIOKafkaProtocol"):
        use_frames()
