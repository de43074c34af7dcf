"""Who counts in which export ledger, and how accounts change: persons as sets, everything else by block."""

import random
from datetime import date, datetime
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules import export_accounts
from hegui.rules.cases import BASE_GENERATION, BASE_POLICY, PERSON
from hegui.rules.engine import Engine
from hegui.rules.events import Export, GenerationEvent, ModelReference
from hegui.rules.export_accounts import MAX_UNIONS, UNKNOWN_DAY, AccountState, ControllerYear, ExportAccount, Persons
from hegui.rules.exports import (
    DAY_MS,
    PACE_DAYS,
    Account,
    Exported,
    Together,
    account_key,
    days_until,
    exported,
    first_year_kept,
    legal_day,
    legal_year,
    year_end_ms,
    year_to_keep,
)
from hegui.rules.facts import Facts, Snapshot
from hegui.rules.observations import ExportSum, Observation
from hegui.rules.policy import Entity, ExportMechanism, PersonKeyPeriod, Policy

KEYS = (PersonKeyPeriod(controller="company", year=2026, key_id="1"),)
OTHER_PERSON = "k1:" + "fedcba9876543210" * 4
SENT = Export(entity="company")
EVENT = replace(
    BASE_GENERATION,
    exported=True,
    export=SENT,
    prompt_personal_information=True,
    sensitive_personal_information=False,
    user_key=PERSON,
)
ACCOUNT = Account("default", "company", "company", 2026)


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def day(text: str) -> int:
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def added(event: GenerationEvent = EVENT, at: str = "2026-08-01T12:00:00+08:00", **how: object) -> Exported | None:
    policy = replace(BASE_POLICY, person_keys=KEYS, **how.pop("policy", {}))  # type: ignore[arg-type]
    snapshot = Snapshot(policy)
    facts = Facts(snapshot, ms(at), "default", snapshot.services.get(("default", event.service)))
    return exported(event, facts, bool(how.get("trusted", True)))


def test_the_user_is_counted_where_no_subjects_are_named() -> None:
    assert added() == Exported(ACCOUNT, False, (PERSON[-64:],), None, day("2026-08-01"))


def test_subjects_are_counted_instead_of_the_user() -> None:
    found = added(replace(EVENT, export=replace(SENT, subjects=(PERSON, OTHER_PERSON))))
    assert found is not None and found.persons == (PERSON[-64:], OTHER_PERSON[-64:])


def test_sensitive_information_is_a_kind_of_its_own() -> None:
    found = added(replace(EVENT, sensitive_personal_information=True))
    assert found is not None and found.sensitive and found.persons


NOWHERE = ModelReference(id="model-a")
EXEMPT = replace(SENT, exemption="art_5_1", exemption_document="c-1")
ABROAD = ModelReference(id="model-a", hosting_region="us-east-1")


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"exported": False}, False),
        ({"exported": None}, False),
        ({"exported": False, "model": ABROAD}, True),
        ({"exported": None, "export": None, "model": ABROAD}, True),
        ({"exported": False, "model": ABROAD, "prompt_personal_information": None}, True),
        ({"exported": False, "prompt_personal_information": None}, False),
        ({"exported": None, "prompt_personal_information": None}, False),
        ({"exported": False, "model": ABROAD, "prompt_personal_information": False}, False),
        ({"exported": False, "model": NOWHERE}, True),
        ({"exported": False, "model": None}, True),
        ({"exported": False, "model": NOWHERE, "prompt_personal_information": None}, True),
        ({"exported": False, "model": NOWHERE, "prompt_personal_information": False}, False),
        ({"exported": False, "model": ABROAD, "export": EXEMPT}, False),
        ({"exported": False, "model": ABROAD, "export": EXEMPT, "data_class": "core"}, True),
        ({"prompt_personal_information": False}, False),
        ({"export": replace(SENT, exemption="art_5_1", exemption_document="c-1")}, False),
        ({"export": replace(SENT, exemption="art_5_1")}, True),
        ({"export": replace(SENT, exemption="art_5_1", exemption_document="c-1"), "data_class": "important"}, True),
    ],
)
def test_what_counts_as_an_export(changes: dict[str, object], counts: bool) -> None:
    assert (added(replace(EVENT, **changes)) is not None) is counts


@pytest.mark.parametrize(
    ("changes", "how", "problem"),
    [
        ({"export": Export(entity="nobody")}, {}, "entity_unknown"),
        ({}, {"trusted": False}, "time_not_trusted"),
        ({"prompt_personal_information": None}, {}, "information_unknown"),
        ({"exported": False, "model": ABROAD, "prompt_personal_information": None}, {}, "information_unknown"),
        ({"exported": False, "model": NOWHERE, "prompt_personal_information": None}, {}, "information_unknown"),
        ({"exported": False, "model": NOWHERE}, {}, "region_unknown"),
        ({"exported": False, "model": None}, {}, "region_unknown"),
        ({"sensitive_personal_information": None}, {}, "sensitivity_unknown"),
        ({"user_key": None}, {}, "no_subject"),
        ({"export": replace(SENT, subjects=())}, {}, "no_subject"),
        ({"export": replace(SENT, subjects=(PERSON, "Zhang San"))}, {}, "not_a_keyed_hash"),
        ({"user_key": "k2:" + PERSON[3:]}, {}, "key_of_another"),
        ({}, {"at": "2027-01-01T00:00:00+08:00"}, "key_not_registered"),
    ],
)
def test_what_cannot_be_counted_has_a_reason_and_no_person(
    changes: dict[str, object], how: dict[str, object], problem: str
) -> None:
    found = added(replace(EVENT, **changes), **how)  # type: ignore[arg-type]
    assert found is not None
    assert (found.problem, found.persons) == (problem, ())


@pytest.mark.parametrize("year", ["2026", "1970", "9998"])
def test_a_clock_that_is_far_off_opens_no_ledger_of_its_year(year: str) -> None:
    found = added(at=f"{year}-08-01T12:00:00+08:00", trusted=False)
    assert found is not None and found.account == Account("default", "company", "company", 0)


def test_an_unknown_entity_is_not_named_in_the_ledger() -> None:
    found = added(replace(EVENT, export=Export(entity="zhang san's company")))
    assert found is not None and found.account == Account("default", "other", "other", 2026)


def test_an_entity_has_one_ledger_whichever_tenants_use_it() -> None:
    policy = replace(BASE_POLICY, person_keys=KEYS)
    policy = replace(policy, services=(*policy.services, replace(policy.services[0], tenant="brand-b")))
    snapshot, found = Snapshot(policy), set()
    for tenant in ("default", "brand-b", "other"):
        facts = Facts(snapshot, ms("2026-08-01T12:00:00+08:00"), tenant, snapshot.services.get((tenant, "svc")))
        added_by = exported(EVENT, facts, True)
        assert added_by is not None and added_by.persons
        found.add(added_by.account)
    assert found == {ACCOUNT}


def test_entities_of_one_controller_lie_in_one_place() -> None:
    entities = (Entity(name="company", controller="group"), Entity(name="sister", controller="group"))
    places = set()
    for name in ("company", "sister"):
        found = added(replace(EVENT, export=Export(entity=name)), policy={"entities": entities})
        assert found is not None
        assert (found.account.entity, found.account.controller) == (name, "group")
        places.add(account_key(found.account))
    assert len(places) == 1


@pytest.mark.parametrize(
    ("at", "year"),
    [
        ("2026-12-31T23:59:59.999+08:00", 2026),
        ("2027-01-01T00:00:00+08:00", 2027),
        ("2026-12-31T16:00:00+00:00", 2027),
        ("2026-12-31T15:59:59+00:00", 2026),
    ],
)
def test_the_legal_year_turns_at_midnight_in_shanghai(at: str, year: int) -> None:
    assert legal_year(ms(at)) == year


def observation(upto: int, *, block: int = 0, start: int = 0, source: int = 0) -> Observation:
    return Observation("t", source, block, start, upto, 0)


def persons(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:064x}" for number in numbers)


def account() -> ExportAccount:
    return ExportAccount(AccountState(ACCOUNT))


def test_a_person_counts_once_however_often_told() -> None:
    found = account()
    assert len(found.step(observation(5), ExportSum(ACCOUNT, 1, persons(1, 2), persons(2)))) == 3
    assert found.step(observation(5), ExportSum(ACCOUNT, 1, persons(1, 2), persons(2))) == []
    assert found.step(observation(9, source=1), ExportSum(ACCOUNT, 2, persons(2, 3))) == [
        (False, bytes.fromhex(persons(3)[0]))
    ]
    assert (len(found.ordinary), len(found.sensitive), found.state.last_ms) == (3, 1, 2)


def test_what_cannot_be_counted_is_replaced_within_a_block_and_added_over_blocks() -> None:
    found = account()
    for told, total in (
        ((observation(5), {"no_subject": 2}), {"no_subject": 2}),
        ((observation(9), {"no_subject": 3}), {"no_subject": 3}),
        ((observation(9), {"no_subject": 3}), {"no_subject": 3}),
        ((observation(5), {"no_subject": 2}), {"no_subject": 3}),
        ((observation(5000, block=1, start=4096), {"key_of_another": 1}), {"no_subject": 3, "key_of_another": 1}),
        ((observation(9), {"no_subject": 9}), {"no_subject": 3, "key_of_another": 1}),
        ((observation(7, source=1), {"no_subject": 1}), {"no_subject": 4, "key_of_another": 1}),
    ):
        found.step(told[0], ExportSum(ACCOUNT, 1, uncounted=told[1]))
        assert found.state.uncounted() == total


@pytest.mark.parametrize(
    ("at", "of"),
    [
        ("2026-08-01T00:00:00+08:00", "2026-08-01"),
        ("2026-07-31T23:59:59.999+08:00", "2026-07-31"),
        ("2026-07-31T16:00:00+00:00", "2026-08-01"),
        ("2026-12-31T23:59:59+08:00", "2026-12-31"),
        ("1970-01-01T00:00:00+08:00", "1970-01-01"),
    ],
)
def test_the_legal_day_turns_at_midnight_in_shanghai(at: str, of: str) -> None:
    assert legal_day(ms(at)) == day(of)


def test_a_legal_year_ends_where_the_next_one_begins() -> None:
    assert year_end_ms(2026) == ms("2027-01-01T00:00:00+08:00")
    assert (legal_year(year_end_ms(2026) - 1), legal_year(year_end_ms(2026))) == (2026, 2027)


def test_of_four_years_the_running_one_and_three_before_are_kept() -> None:
    assert first_year_kept(ms("2027-01-01T00:00:00+08:00") - 1, 4) == 2023
    assert first_year_kept(ms("2027-01-01T00:00:00+08:00"), 4) == 2024


def test_an_account_without_year_is_as_old_as_its_last_export() -> None:
    last_ms = ms("2024-02-29T12:00:00+08:00")
    assert year_to_keep(ACCOUNT, last_ms) == 2026
    assert year_to_keep(replace(ACCOUNT, year=0), last_ms) == 2024


@pytest.mark.parametrize(
    ("count", "new", "days"),
    [(93, 7, 7), (99, 7, 1), (92, 7, 8), (93, 6, 9), (93, 1_000_000, 1), (0, 1, 700), (93, 0, None)],
)
def test_the_days_that_are_left_at_a_pace(count: int, new: int, days: int | None) -> None:
    assert days_until(100, count, new) == days


def test_a_person_counts_on_the_earliest_day_whatever_the_order() -> None:
    found = Persons()
    assert [found.add(b"a", on) for on in (20, 21, 20, 14, 13, UNKNOWN_DAY, 13)] == [
        *(True, False, False, True, True),
        *(True, False),
    ]
    assert (len(found), found.days, found.new(14)) == (1, {b"a": UNKNOWN_DAY}, 0)


def test_the_pace_is_that_of_seven_days() -> None:
    found = Persons()
    for on in range(100, 120):
        found.add(bytes([on]), on)
    assert [found.new(on) for on in (99, 100, 106, 119, 120, 125, 126)] == [0, 1, 7, 7, 6, 1, 0]
    assert PACE_DAYS == 7


def test_a_sum_without_day_is_of_the_day_of_its_last_export() -> None:
    found = account()
    at_ms = ms("2026-08-01T00:00:00+08:00")
    found.step(observation(1), ExportSum(ACCOUNT, at_ms, persons(1)))
    assert found.ordinary.by_day == {day("2026-08-01"): 1}
    found.step(observation(2), ExportSum(ACCOUNT, at_ms, persons(1), day=day("2026-07-30")))
    assert found.ordinary.by_day == {day("2026-08-01"): 0, day("2026-07-30"): 1}


@pytest.mark.parametrize(("on", "counted_on"), [(-1, 1), (0, 1), (1, 1), (65_535, 65_535), (65_536, 65_535)])
def test_a_day_that_no_table_key_can_name_is_the_nearest_that_one_can(on: int, counted_on: int) -> None:
    found = account()
    found.step(observation(1), ExportSum(ACCOUNT, 1, persons(1), day=on))
    assert found.ordinary.by_day == {counted_on: 1}


NO_POLICY = Snapshot(Policy(version="none"))
EXACT = {"ORDINARY_LIMIT": 0, "SENSITIVE_LIMIT": 0, "assessment_due": lambda *_: False}
"""As if every number were near a limit, and none over it."""
TOLD = st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 30), st.integers(20_000, 20_012))


@given(st.lists(TOLD, max_size=60), st.randoms())
def test_any_order_and_any_repetition_gives_the_sets_and_days_of_the_reference(
    told: list[tuple[str, bool, int, int]], chance: random.Random
) -> None:
    controller = ControllerYear()
    accounts: dict[str, ExportAccount] = {}
    again = [*told, *told]
    chance.shuffle(again)
    for number, (entity, sensitive, person, on) in enumerate(again):
        if entity not in accounts:
            accounts[entity] = ExportAccount(AccountState(Account("default", "group", entity, 2026)))
            controller.add(accounts[entity])
        of = accounts[entity]
        one = persons(person)
        sum_ = ExportSum(of.state.account, 1, () if sensitive else one, one if sensitive else (), {}, on)
        controller.step(of, observation(number), sum_)
    for entity, found in accounts.items():
        with mock.patch.multiple(export_accounts, **EXACT):
            ledger = controller.ledger(found, 20_010 * DAY_MS, NO_POLICY, 0)
        wanted: list[dict[int, int]] = [{}, {}]
        for e, s, p, on in told:
            if e == entity:
                wanted[s][p] = min(on, wanted[s].get(p, on))
        over_all = [{p for _, s, p, _ in told if s is kind} for kind in (False, True)]
        assert (ledger.ordinary, ledger.sensitive) == tuple(map(len, wanted))
        assert (ledger.new_ordinary_7_days, ledger.new_sensitive_7_days) == tuple(
            sum(20_004 <= on <= 20_010 for on in days.values()) for days in wanted
        )
        if len(accounts) > 1:
            assert ledger.below_assessment == Together(len(accounts), *map(len, over_all))


def test_what_is_left_of_a_controller_is_counted_by_itself() -> None:
    controller, entities = ControllerYear(), ("a", "b")
    accounts = [ExportAccount(AccountState(Account("default", "group", entity, 0))) for entity in entities]
    for found in accounts:
        controller.add(found)
    ledger = controller.ledger(accounts[1], 0, NO_POLICY, 0)
    assert (ledger.below_assessment, ledger.below_contract) == (Together(2), Together(2))
    controller.remove("a")
    ledger = controller.ledger(accounts[1], 0, NO_POLICY, 0)
    assert (ledger.below_assessment, ledger.below_contract) == (Together(), Together())


def test_a_key_of_persons_stands_once_for_a_controller_and_year() -> None:
    policy = Policy(version="v", person_keys=KEYS)
    assert policy.person_key("company", 2026) == "1"
    assert policy.person_key("company", 2027) is None
    assert policy.person_key("other", 2026) is None


def test_the_sets_over_several_entities_are_few_and_right_while_what_they_hold_changes() -> None:
    controller, names = ControllerYear(), "abcdefgh"
    accounts = {name: ExportAccount(AccountState(Account("default", "group", name, 2026))) for name in names}
    for number, found in enumerate(accounts.values()):
        controller.add(found)
        controller.step(found, observation(number), ExportSum(found.state.account, 1, persons(number, 99)))
    held = msgspec.convert(
        {"kind": "security_assessment", "reference": "m-1", "valid_from": DAWN, "valid_to": DUSK}, ExportMechanism
    )
    for turn in range(3):
        new = persons(1000 + turn)
        controller.step(accounts["a"], observation(100 + turn), ExportSum(accounts["a"].state.account, 1, new))
        for number, assessed in enumerate(names):
            entities = (Entity(name=assessed, controller="group", export_mechanisms=(held,)),)
            snapshot = Snapshot(Policy(version="v", entities=entities))
            with mock.patch.multiple(export_accounts, **EXACT):
                ledgers = {name: controller.ledger(accounts[name], NOON, snapshot, 0) for name in names}
            wanted = {99, *range(8)} - {number} | (set() if assessed == "a" else {*range(1000, 1001 + turn)})
            assert ledgers.pop(assessed).below_assessment == Together()
            assert {one.below_assessment for one in ledgers.values()} == {Together(7, len(wanted))}
            assert len(controller._unions) <= MAX_UNIONS
    before = {key: len(found) for key, found in controller._unions.items()}
    controller.step(accounts["h"], observation(200), ExportSum(accounts["h"].state.account, 1, persons(5000)))
    grown = {key for key, found in controller._unions.items() if len(found) > before[key]}
    assert grown == {key for key in before if "h" in key[0] and not key[1]}
    assert grown != before.keys(), "a set that leaves somebody out does not grow with them"


NOON, DAWN, DUSK = ms("2026-08-01T12:00:00+08:00"), "2026-08-01T06:00:00+08:00", "2026-08-01T18:00:00+08:00"
"""A moment at which a mechanism of one day holds."""


@pytest.mark.parametrize("stated", [True, False, None])
@pytest.mark.parametrize("information", [True, False, None])
@pytest.mark.parametrize("model", [ABROAD, NOWHERE, None, BASE_GENERATION.model])
def test_the_evaluator_asks_of_every_event_that_may_add_something(
    stated: bool | None, information: bool | None, model: ModelReference | None
) -> None:
    event = replace(EVENT, exported=stated, prompt_personal_information=information, model=model)
    engine = Engine((), Snapshot(replace(BASE_POLICY, person_keys=KEYS)))
    plan, _ = engine.evaluate(engine.group("default", event.service), event, ms("2026-08-01T12:00:00+08:00"))
    assert plan.exports or added(event) is None
    assert plan.exports is (information is not False)
