"""The ISCC in opt-outs on disk: known before the opt-outs are ready, wherever they stand."""

import asyncio
import mmap
from pathlib import Path

import msgspec
import pytest

from hegui.rules.facts import OptOut
from hegui.rules.iscc import content_unit
from hegui.streams import work_codes_feed as module
from hegui.streams.work_codes_feed import codes_in
from tests.streams.fakes import FakeRecord
from tests.streams.optout_index import conftest
from tests.streams.optout_index.processes import ONE, Broker, names, running, until

CODE, NEAR, OTHER = "iscc:EAA4LN74R3C3GSL5", "iscc:EAA4LN74R3C3OS34", "iscc:EAAQAAAAAAAAAAAA"
quick, broker = conftest.quick, conftest.broker


def refused(code: str) -> OptOut:
    return OptOut("work", code, "deny", 10)


def near(process: object, code: str = NEAR) -> list[str]:
    unit = content_unit(code)
    assert unit is not None
    return [found.subject for found in process.index.codes.near([unit], 3)]  # type: ignore[attr-defined]


async def test_codes_of_the_topic_and_of_the_snapshot_are_known_when_the_opt_outs_are_ready(
    broker: Broker, tmp_path: Path
):
    broker.refuse(*names(20))
    broker.send("a", refused(CODE.lower()))
    async with running(tmp_path) as process:
        await until(lambda: process.ready)
        assert near(process) == [CODE]
        await until(lambda: process.index.entries == 21)
    broker.log[ONE].records[:] = []  # whoever reads them again finds nothing
    broker.log[ONE].next_offset = 21
    async with running(tmp_path) as process:
        await until(lambda: process.ready)
        assert near(process) == [CODE]
        broker.log[ONE].records[:] = [FakeRecord(21, 0, None, key=b"none")]
        broker.log[ONE].next_offset = None
        broker.send("b", refused(OTHER))
        await until(lambda: near(process, OTHER) == [OTHER])
        assert near(process) == [CODE]


async def test_opt_outs_are_not_ready_while_the_snapshot_is_searched(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broker.send("a", refused(CODE))
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 1)
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def search(content: mmap.mmap, start: int) -> list[str]:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
        return codes_in(content, start)

    monkeypatch.setattr(module, "codes_in", search)
    async with running(tmp_path) as process:
        await until(lambda: process.feed._codes._search is not None)
        broker.refuse("later")
        await until(lambda: process.index.recent_records == 1)
        assert not process.ready
        held.set()
        await until(lambda: process.ready)
        assert near(process) == [CODE]


async def test_a_snapshot_of_what_was_read_is_not_searched(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    searched: list[int] = []
    monkeypatch.setattr(module, "codes_in", lambda content, start: searched.append(start) or [])
    broker.refuse(*names(5))
    async with running(tmp_path) as process:
        await until(lambda: process.index.entries == 5 and process.ready)
        broker.send("a", refused(CODE))
        await until(lambda: near(process) == [CODE])
    assert searched == []


@pytest.mark.parametrize(
    "at", [0, module._PORTION - 40, module._PORTION - 1, module._PORTION, 2 * module._PORTION - 70]
)
def test_a_code_is_found_wherever_it_stands(tmp_path: Path, at: int):
    value = msgspec.json.encode(refused(" ISCC: eaa4ln74r3c3gsl5 "))
    (tmp_path / "values").write_bytes(b"header" + b"x" * at + value + b"y" * 100)
    with (tmp_path / "values").open("rb") as file:
        assert codes_in(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ), 6) == [CODE.removeprefix("iscc:")]
