"""Events are judged by the version of the policy that counts at their own time."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from hegui.rules.cases import BASE_AT_MS, BASE_POLICY
from hegui.rules.engine import Engine
from hegui.rules.facts import FactStatus, FactTable, OptOut, Snapshot, loaded
from hegui.rules.versions import Versions, effective_ms
from tests.rules.builders import a_rule
from tests.rules.test_waivers import START

DAY_MS = 86_400_000


def engine(version: str, days: int | None, table: FactTable[OptOut] | None = None) -> Engine:
    moment = None if days is None else START + timedelta(days=days)
    policy = replace(BASE_POLICY, version=version, effective_from=moment)
    return Engine([a_rule()], Snapshot(policy, loaded(()) if table is None else table))


@pytest.mark.parametrize(("days", "version"), [(-100, "a"), (-1, "a"), (0, "b"), (1, "b"), (2, "c"), (1000, "c")])
def test_the_version_of_the_events_time_counts(days: int, version: str) -> None:
    versions = Versions([engine("c", 2), engine("a", None), engine("b", 0)])
    found, from_ms, to_ms = versions.at(BASE_AT_MS + days * DAY_MS)
    assert found.snapshot.policy.version == version
    assert from_ms <= BASE_AT_MS + days * DAY_MS < to_ms
    assert versions.at(to_ms)[0] is not found or to_ms == 2**63
    assert versions.at(from_ms - 1)[0] is not found or from_ms == -(2**63)


def test_the_first_version_counts_for_everything_before_it() -> None:
    assert Versions([engine("b", 0), engine("c", 1)]).at(0)[0].snapshot.policy.version == "b"
    assert effective_ms(engine("b", 0)) == BASE_AT_MS


def test_every_version_is_made_anew_when_facts_become_ready() -> None:
    table: FactTable[OptOut] = FactTable(FactStatus.LOADING)
    versions = Versions([engine("a", None, table), engine("b", 0, table)])
    assert versions.refreshed() is versions
    table.status = FactStatus.READY
    after = versions.refreshed()
    assert after is not versions
    assert [e.snapshot.policy.version for e in after.engines] == ["a", "b"]
    assert all(e.is_current() for e in after.engines)
