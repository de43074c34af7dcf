"""Waivers: set by the engine from the policy, in event time, for one rule, tenant and service."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from hegui.rules.cases import BASE_AT_MS, BASE_GENERATION, BASE_POLICY
from hegui.rules.core import Outcome, Result, inconclusive
from hegui.rules.engine import Engine
from hegui.rules.facts import Snapshot, loaded
from hegui.rules.law import SHANGHAI
from hegui.rules.policy import PolicyError, Service, Waiver
from hegui.rules.waivers import parse_scope
from tests.rules.builders import a_rule, failing, judged, raising, saying

START = datetime.fromtimestamp(BASE_AT_MS / 1000, SHANGHAI)
WAIVER = Waiver(
    id="w-1",
    scope="LBL901@default/svc",
    reason="a reason that is long enough",
    ticket="T-1",
    owner="a",
    approver="b",
    valid_from=START,
    valid_to=START + timedelta(days=1),
)
DAY_MS = 86_400_000


def engine_with(*waivers: Waiver, rules: tuple = ()) -> Engine:
    services = (*BASE_POLICY.services, Service(name="svc", team="t", tenant="another"))
    policy = replace(BASE_POLICY, waivers=waivers, services=services)
    return Engine(rules or [a_rule("LBL901", failing)], Snapshot(policy, loaded(()), loaded(())))


@pytest.mark.parametrize(
    ("at_ms", "outcome"),
    [
        (BASE_AT_MS - 1, "fail"),
        (BASE_AT_MS, "waived"),
        (BASE_AT_MS + DAY_MS - 1, "waived"),
        (BASE_AT_MS + DAY_MS, "fail"),
    ],
)
def test_a_waiver_holds_from_its_first_to_before_its_last_millisecond(at_ms: int, outcome: str) -> None:
    assert judged(engine_with(WAIVER), BASE_GENERATION, at_ms)["LBL901"].outcome == outcome


def test_a_waived_result_keeps_reason_and_evidence_and_names_the_waiver() -> None:
    result = judged(engine_with(WAIVER), BASE_GENERATION)["LBL901"]
    assert result == Result(Outcome.WAIVED, "always fails", {"number": 1}, "w-1")


@pytest.mark.parametrize(
    "scope",
    ["LBL901@default/pipeline", "LBL901@another/svc", "LBL902@default/svc", "LOC@default/svc", "LBL901@default/other"],
)
def test_a_waiver_of_something_else_waives_nothing(scope: str) -> None:
    assert judged(engine_with(replace(WAIVER, scope=scope)), BASE_GENERATION)["LBL901"] == failing(None, None)


@pytest.mark.parametrize("scope", ["LBL@default/svc", "LBL901@default/*", "LBL@default/*"])
def test_a_scope_may_name_a_family_and_all_services_of_a_tenant(scope: str) -> None:
    engine = engine_with(replace(WAIVER, scope=scope))
    assert judged(engine, BASE_GENERATION)["LBL901"].outcome is Outcome.WAIVED
    assert judged(engine, BASE_GENERATION, tenant="another")["LBL901"].outcome is Outcome.FAIL


def test_a_service_that_the_registry_does_not_know_is_never_waived() -> None:
    engine = engine_with(replace(WAIVER, scope="LBL@default/*"))
    assert judged(engine, replace(BASE_GENERATION, service="nobody"))["LBL901"].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "LBL901",
        "LBL901@default",
        "@default/svc",
        "ALL@default/svc",
        "LBL901@*/svc",
        "lbl901@a/b",
        "LB@a/b",
        "LBL901@a/b/c",
        "LBL901@a/b ",
        "LBL901@/b",
    ],
)
def test_a_scope_that_is_not_in_the_grammar_is_refused(scope: str) -> None:
    if scope.startswith("ALL"):
        assert parse_scope(scope).rule == "ALL"  # a prefix like any other; no rule begins with it
        return
    with pytest.raises(PolicyError, match="RULE@TENANT/SERVICE"):
        parse_scope(scope)


def test_an_ended_waiver_says_so_and_waives_no_longer() -> None:
    first = replace(WAIVER, id="w-0", valid_from=START - timedelta(days=4), valid_to=START - timedelta(days=2))
    last = replace(WAIVER, valid_from=START - timedelta(days=2), valid_to=START)
    result = judged(engine_with(last, first), BASE_GENERATION)["LBL901"]
    assert (result.outcome, result.waiver, result.expired_waiver) == (Outcome.FAIL, None, "w-1")
    assert judged(engine_with(WAIVER), BASE_GENERATION, BASE_AT_MS - 1)["LBL901"].expired_waiver is None


def test_waivers_of_the_topic_count_like_those_of_the_policy() -> None:
    table = loaded([WAIVER])
    snapshot = Snapshot(BASE_POLICY, loaded(()), loaded(()), loaded(()), table)
    engine = Engine([a_rule("LBL901", failing)], snapshot)
    assert judged(engine, BASE_GENERATION)["LBL901"].waiver == "w-1"
    table.put(b"0", None)
    assert not engine.is_current()
    assert judged(Engine(engine.rules, snapshot), BASE_GENERATION)["LBL901"].outcome is Outcome.FAIL


def test_waivers_without_effect_are_known() -> None:
    engine = engine_with(
        WAIVER, *(replace(WAIVER, id=f"w-{n}", scope=s) for n, s in ((2, "XYZ@default/svc"), (3, "LBL@default/x")))
    )
    assert engine.waivers.without_effect == ["w-2", "w-3"]


def test_a_waiver_holds_in_its_own_tenant_only() -> None:
    engine = engine_with(replace(WAIVER, scope="LBL901@another/svc"))
    assert judged(engine, BASE_GENERATION, tenant="another")["LBL901"].outcome is Outcome.WAIVED
    assert judged(engine, BASE_GENERATION, tenant="default")["LBL901"].outcome is Outcome.FAIL


def test_a_rule_that_may_not_be_waived_is_not_even_if_the_policy_says_so() -> None:
    engine = engine_with(WAIVER, rules=(a_rule("LBL901", failing, waivable=False),))
    assert judged(engine, BASE_GENERATION)["LBL901"].outcome is Outcome.FAIL


def test_the_first_waiver_that_holds_is_named() -> None:
    ended = replace(WAIVER, id="w-0", valid_from=START - timedelta(days=2), valid_to=START)
    later = replace(WAIVER, id="w-2")
    assert judged(engine_with(ended, WAIVER, later), BASE_GENERATION)["LBL901"].waiver == "w-1"


@pytest.mark.parametrize("check", [raising, saying(inconclusive("x"))])
def test_only_failures_are_waived(check: object) -> None:
    result = judged(engine_with(WAIVER, rules=(a_rule("LBL901", check),)), BASE_GENERATION)["LBL901"]
    assert result.outcome in {Outcome.ERROR, Outcome.INCONCLUSIVE}
    assert result.waiver is None
