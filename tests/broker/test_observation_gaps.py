"""Observations that the log no longer has when the state agents come back: recorded, told, and no ledger passes as if nothing were missing."""

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from hegui.rules.exports import legal_year, year_end_ms
from hegui.streams.coverage_gaps import CoverageGap
from hegui.streams.state.app import EXIT_STATE
from hegui.streams.state.contents import ProgressContent, contents
from tests.broker.exports import ANY_TIME, exports
from tests.broker.harness import Deployment, deployment
from tests.broker.processes import Daemon, now_ms, until

pytestmark = pytest.mark.broker

NEXT_YEAR_MS = year_end_ms(legal_year(now_ms()))


async def said(state: Daemon, outcome: str) -> set[str]:
    """Rules that say so of an export ledger."""
    found = (await state.metrics()).all("compliance_ledger_outcome")
    return {s["rule"] for s, value in found if value and s["outcome"] == outcome and s["rule"].startswith("LOC")}


async def settled(made: Deployment) -> list[str]:
    await made.caught_up()
    await made.issues_settled()
    return await made.ledger_faults()


async def test_observations_deleted_before_they_were_counted_are_a_gap_and_leave_what_passed_undecided(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        _, state = await made.start("evaluator", "state")
        # Of a year that is over no loss is told, so time must stay within the year in which it is noticed.
        events = (one for one in exports(now_ms, seed=9, faults=0.0) if one.time.timestamp() * 1000 < NEXT_YEAR_MS)
        await made.send(next(events) for _ in range(100))
        assert await settled(made) == []
        passed = await said(state, "pass")
        assert "LOC011" in passed
        assert await state.metric("compliance_coverage_gap_records_total") == 0
        assert await state.stop() == 0
        counted = {
            one.partition: one.last_offset + 1
            for one in contents(await made.table())
            if isinstance(one, ProgressContent)
        }
        await made.send(next(events) for _ in range(300))
        await made.caught_up()
        topic = made.settings.topics.observations
        ends = await made.tail(topic).ends()
        beginnings = {p: end - 1 for p, end in ends.items()}
        assert all(counted[p] < at for p, at in beginnings.items())
        admin = await made.admin()
        await admin.delete_records({TopicPartition(topic, p): RecordsToDelete(at) for p, at in beginnings.items()})
        await state.start()
        await made.issues_settled()

        async def gaps() -> dict[int, tuple[int, int]]:
            found = [
                msgspec.json.decode(r.value, type=CoverageGap)
                for r in await made.read(made.settings.topics.coverage_gaps)
            ]
            assert {(gap.topic, gap.cause) for gap in found} <= {(topic, "retention")}
            return {gap.partition: (gap.from_offset, gap.to_offset) for gap in found}

        async def undecided() -> bool:
            return await said(state, "inconclusive") >= passed

        await until(undecided, "what passed is undecided")
        assert await gaps() == {p: (counted[p], at) for p, at in beginnings.items()}
        lost = sum(at - counted[p] for p, at in beginnings.items())
        assert await state.metric("compliance_coverage_gap_records_total", topic=topic) == lost
        assert not await said(state, "pass") & passed
        assert await made.ledger_faults() != [], "persons are missing: that is what the ledgers must not hide"
        # It stands in the table, and is not told again.
        state.kill()
        await state.start()
        await until(undecided, "what passed is undecided after a crash")
        told = {one.partition: one.lost for one in contents(await made.table()) if isinstance(one, ProgressContent)}
        assert told == {p: at - counted[p] for p, at in beginnings.items()}
        assert await state.metric("compliance_coverage_gap_records_total") == 0


async def test_a_topic_of_observations_made_anew_stops_the_state_agents(kafka):
    async with deployment(kafka.bootstrap, evaluator=ANY_TIME) as made:
        evaluator, state = await made.start("evaluator", "state")
        events = exports(now_ms, seed=10)
        await made.send(next(events) for _ in range(200))
        assert await settled(made) == []
        assert (await evaluator.stop(), await state.stop()) == (0, 0)
        before = await made.table()
        await made.recreate(made.settings.topics.observations)
        await evaluator.start()
        state.launch()
        assert await state.end() == EXIT_STATE
        assert '"state_log_made_anew"' in state.log
        assert await made.table() == before
