"""Who counts in which export ledger, and how accounts change: persons as sets, everything else by block."""

import random
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hegui.rules.cases import BASE_GENERATION, BASE_POLICY, PERSON
from hegui.rules.events import Export, GenerationEvent, ModelReference
from hegui.rules.export_accounts import AccountState, ControllerYear, ExportAccount
from hegui.rules.exports import Account, Exported, account_key, exported, legal_year
from hegui.rules.facts import Facts, Snapshot
from hegui.rules.observations import ExportSum, Observation
from hegui.rules.policy import Entity, PersonKeyPeriod, Policy

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


def added(event: GenerationEvent = EVENT, at: str = "2026-08-01T12:00:00+08:00", **how: object) -> Exported | None:
    policy = replace(BASE_POLICY, person_keys=KEYS, **how.pop("policy", {}))  # type: ignore[arg-type]
    snapshot = Snapshot(policy)
    facts = Facts(snapshot, ms(at), "default", snapshot.services.get(("default", event.service)))
    return exported(event, facts, bool(how.get("trusted", True)))


def test_the_user_is_counted_where_no_subjects_are_named() -> None:
    assert added() == Exported(ACCOUNT, False, (PERSON[-64:],), None)


def test_subjects_are_counted_instead_of_the_user() -> None:
    found = added(replace(EVENT, export=replace(SENT, subjects=(PERSON, OTHER_PERSON))))
    assert found is not None and found.persons == (PERSON[-64:], OTHER_PERSON[-64:])


def test_sensitive_information_is_a_kind_of_its_own() -> None:
    found = added(replace(EVENT, sensitive_personal_information=True))
    assert found is not None and found.sensitive and found.persons


ABROAD = ModelReference(id="model-a", hosting_region="us-east-1")


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"exported": False}, False),
        ({"exported": None}, False),
        ({"exported": False, "model": ABROAD}, True),
        ({"exported": None, "export": None, "model": ABROAD}, True),
        ({"exported": False, "model": ABROAD, "prompt_personal_information": None}, False),
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


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 30)), max_size=60), st.randoms())
def test_any_order_and_any_repetition_gives_the_sets_of_the_reference(
    told: list[tuple[str, bool, int]], chance: random.Random
) -> None:
    controller = ControllerYear()
    accounts: dict[str, ExportAccount] = {}
    again = [*told, *told]
    chance.shuffle(again)
    for number, (entity, sensitive, person) in enumerate(again):
        if entity not in accounts:
            accounts[entity] = ExportAccount(AccountState(Account("default", "group", entity, 2026)))
            controller.add(accounts[entity])
        of = accounts[entity]
        one = persons(person)
        sum_ = ExportSum(of.state.account, 1, () if sensitive else one, one if sensitive else ())
        controller.step(of, observation(number), sum_)
    for entity, found in accounts.items():
        ledger = controller.ledger(found)
        wanted = [{p for e, s, p in told if e == entity and s is kind} for kind in (False, True)]
        over_all = [{p for _, s, p in told if s is kind} for kind in (False, True)]
        assert (ledger.ordinary, ledger.sensitive) == tuple(map(len, wanted))
        assert (ledger.controller_ordinary, ledger.controller_sensitive) == tuple(map(len, over_all))
        assert ledger.controller_entities == len(accounts)


def test_a_key_of_persons_stands_once_for_a_controller_and_year() -> None:
    policy = Policy(version="v", person_keys=KEYS)
    assert policy.person_key("company", 2026) == "1"
    assert policy.person_key("company", 2027) is None
    assert policy.person_key("other", 2026) is None
