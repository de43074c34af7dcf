"""An older and a newer process in one group: the older stops, and says why, at what the newer wrote; nothing is spoiled."""

import msgspec
import pytest

from hegui.streams.errors import StateVersionError
from hegui.streams.state import export_table, ledgers
from hegui.streams.state.app import EXIT_STATE
from hegui.streams.state.contents import contents
from hegui.streams.state.issues import PROGRESS
from hegui.streams.state.ledgers import LEDGER
from tests.broker.exports import ANY_TIME, exports
from tests.broker.harness import Deployment, deployment
from tests.broker.processes import Daemon, now_ms, until

pytestmark = pytest.mark.broker

NEWER = """
import sys
from hegui.streams.state import export_table, issues, ledgers
for module in (export_table, issues, ledgers):
    module.VERSION += 1
from hegui.streams.cli import main
sys.argv[0] = "hegui"
main()
"""
"""A process whose state has the next version."""


def newer(made: Deployment) -> Daemon:
    daemon = made.daemon("state")
    daemon.program = ["-c", NEWER]
    return daemon


async def versions(made: Deployment) -> dict[int, int]:
    """Partition to the version of its progress."""
    return {
        int(key.removeprefix(PROGRESS)): msgspec.json.decode(value)["version"]
        for key, value in (await made.table()).items()
        if key.startswith(PROGRESS)
    }


def _version(value: bytes) -> int:
    found: int = msgspec.json.decode(value, type=dict).get("version", 1) if value.startswith(b"{") else 1
    return found


async def settled(made: Deployment) -> list[str]:
    await made.caught_up()
    await made.issues_settled()
    return await made.evaluation_faults()


async def test_an_older_process_stops_at_what_a_newer_one_wrote_and_spoils_nothing(kafka, monkeypatch):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        _, older = await made.start("evaluator", "state")
        events = exports(now_ms, seed=11)
        await made.send(next(events) for _ in range(200))
        assert await settled(made) == []
        assert await versions(made) == {0: 1, 1: 1}
        other = await newer(made).start()

        async def side_by_side() -> bool:
            return set((await versions(made)).values()) == {1, 2}

        await until(side_by_side, "one partition counted on by each")
        await made.send(next(events) for _ in range(200))
        assert await settled(made) == []
        assert older.running, "an older process counts on what no newer one has touched"
        other.kill()
        assert await older.end() == EXIT_STATE
        assert '"state_version_unknown"' in older.log
        assert "has version 2, known here is 1; run a newer hegui" in older.log

        async def newest() -> dict[bytes, bytes]:
            table = (await made.table()).items()
            return {
                key: value
                for key, value in table
                if _version(value) > (ledgers.VERSION if key.startswith(LEDGER) else 1)
            }

        before = await newest()
        await made.send(next(events) for _ in range(200))
        older.launch()
        assert await older.end() == EXIT_STATE, "and stops again, however often it is started"
        assert await newest() == before
        with pytest.raises(StateVersionError, match="run a newer hegui"):
            contents(await made.table())  # `hegui state show` of the older one
        await other.start()
        assert await settled(made) == []
        assert set((await versions(made)).values()) == {2}
        monkeypatch.setattr(export_table, "VERSION", 2)
        assert await made.ledger_faults() == []
