"""What the policy settles of exports that could not be counted."""

from datetime import datetime

import msgspec
import pytest

from hegui.rules.engine import rule_set_hash
from hegui.rules.export_accounts import AccountState
from hegui.rules.policy import ExportSettlement, contradictions
from hegui.streams.state.contents import LedgerContent, contents
from hegui.streams.state.export_table import ACCOUNT
from tests.streams.example import BOOK, POLICY
from tests.streams.state.export_ledgers import AT_MS, ENTITY, Ledgers, day, ms, with_mechanism

LONG_AGO = day("2026-03-01")
THEN = "2026-03-01T12:00:00+08:00"
LATER = "2026-03-02T12:00:00+08:00"


def settlement(up_to=THEN, **changes):
    given = {"entity": ENTITY, "year": 2026, "reference": "memo-1", **changes}
    return ExportSettlement(up_to=datetime.fromisoformat(up_to), **given)


def policy(*settlements):
    return msgspec.structs.replace(POLICY, export_settlements=settlements)


def undecided(ledgers, entity=ENTITY):
    return ledgers.gauge("ledger_outcome", entity=entity, rule="LOC011", outcome="inconclusive") == 1


def use(ledgers, *settlements):
    ledgers.keeper.use(policy(*settlements), BOOK, BOOK, rule_set_hash(BOOK))
    return ledgers.tick()


def uncounted(at=THEN, **how):
    """Ledgers in which two exports up to a moment could not be counted."""
    ledgers = Ledgers(**how)
    ledgers.tell([1], at_ms=ms(at), uncounted={"no_subject": 2}, uncounted_ms=ms(at), day=LONG_AGO)
    assert undecided(ledgers)
    return ledgers


def test_a_settlement_decides_the_ledger_and_adds_its_persons():
    ledgers = uncounted()
    use(ledgers, settlement(ordinary=79_998))
    assert (undecided(ledgers), ledgers.open(), ledgers.subjects()) == (False, set(), [79_999, 0])
    (finding,) = use(ledgers, settlement(ordinary=79_999))
    assert (finding["compliance"]["control"], finding["unmapped"]["evidence"]["persons"]) == ("LOC013", 80_000)
    use(ledgers, settlement(ordinary=1), settlement(LATER, sensitive=1))
    assert (ledgers.open(), ledgers.subjects()) == ({("LOC012", ENTITY)}, [2, 1])
    use(ledgers)
    assert (undecided(ledgers), ledgers.subjects()) == (True, [1, 0])


@pytest.mark.parametrize(
    ("changes", "settles"),
    [
        ({}, True),
        ({"up_to": "2026-03-01T11:59:59.999+08:00"}, False),
        ({"year": 2025}, False),
        ({"entity": "b"}, False),
    ],
)
def test_it_settles_the_exports_of_its_entity_and_year_up_to_its_moment(changes, settles):
    ledgers = uncounted()
    use(ledgers, settlement(**changes))
    assert undecided(ledgers) is not settles


def test_an_export_that_cannot_be_counted_later_leaves_the_ledger_undecided_again():
    ledgers = uncounted()
    use(ledgers, settlement())
    ledgers.tell([2], at_ms=ms(LATER), uncounted={"no_subject": 2}, uncounted_ms=ms(THEN), day=LONG_AGO)
    assert not undecided(ledgers)  # one that could be counted
    ledgers.tell(at_ms=ms(LATER), uncounted={"no_subject": 3}, uncounted_ms=ms(LATER), day=LONG_AGO)
    assert undecided(ledgers)
    use(ledgers, settlement(LATER))
    assert not undecided(ledgers)


def test_what_lies_ahead_of_event_time_settles_nothing_yet():
    ledgers = uncounted()
    use(ledgers, settlement("2026-12-31T23:59:59+08:00"))
    assert undecided(ledgers)
    ledgers.tick(ms("2026-12-31T23:59:59+08:00"))
    assert not undecided(ledgers)


def test_it_stays_settled_over_a_restart():
    ledgers = Ledgers(policy=policy(settlement(ordinary=5)))
    ledgers.tell([1], at_ms=ms(THEN), uncounted={"no_subject": 2}, uncounted_ms=ms(THEN), day=LONG_AGO)
    after = ledgers.again(ledgers.offset)
    after.tick()
    assert (undecided(after), after.subjects()) == (False, [6, 0])
    (told,) = [one for one in contents(ledgers.table) if isinstance(one, LedgerContent)]
    assert (told.uncounted, told.uncounted_until_ms) == ({"no_subject": 2}, ms(THEN))


def test_exports_of_unlisted_entities_and_untrusted_times_can_be_settled_too():
    ledgers = Ledgers()
    at_ms = ms(THEN)
    ledgers.tell(entity="other", controller="other", at_ms=at_ms, uncounted={"entity_unknown": 1}, uncounted_ms=at_ms)
    ledgers.tell(year=0, at_ms=AT_MS, uncounted={"time_not_trusted": 1}, uncounted_ms=AT_MS)
    assert undecided(ledgers, "other") and undecided(ledgers)
    use(ledgers, settlement(entity="other"), settlement("2026-11-20T12:00:00+08:00", year=0))
    assert not undecided(ledgers, "other") and undecided(ledgers)
    at = datetime.fromtimestamp(AT_MS / 1000).astimezone().isoformat()
    use(ledgers, settlement(entity="other"), settlement(at, year=0))
    assert not undecided(ledgers)


def test_a_state_or_an_observation_that_does_not_say_when_counts_as_of_its_last_export():
    ledgers = uncounted(LATER)
    (key,) = [key for key in ledgers.table if key.startswith(ACCOUNT)]
    old = msgspec.json.decode(ledgers.table[key])
    del old["uncounted_ms"]
    ledgers.table[key] = msgspec.json.encode(old)
    assert msgspec.json.decode(ledgers.table[key], type=AccountState).uncounted_until_ms == ms(LATER)
    after = ledgers.again(ledgers.offset)
    use(after, settlement())
    assert undecided(after)
    after.tell([2], at_ms=AT_MS, day=LONG_AGO)
    use(after, settlement(LATER))
    assert not undecided(after)
    after.tell(at_ms=AT_MS, uncounted={"no_subject": 3}, day=LONG_AGO)
    assert undecided(after)


def kept(ledgers):
    """Controller, year, time of the last export and persons of the accounts of the entity, as the table holds them."""
    return [
        (one.controller, one.year, one.last_export_ms, one.ordinary)
        for one in contents(ledgers.table)
        if isinstance(one, LedgerContent) and one.entity == ENTITY
    ]


def test_persons_of_exports_that_named_no_entity_count_in_that_of_the_policy_though_it_has_no_account_yet():
    settled = settlement(entity="other"), settlement(ordinary=100_000), settlement(LATER, ordinary=7)
    ledgers = Ledgers(policy=policy(*settled))
    at_ms = ms(THEN)
    ledgers.tell(entity="other", controller="other", at_ms=at_ms, uncounted={"entity_unknown": 5}, uncounted_ms=at_ms)
    (finding,) = ledgers.tick()
    assert (finding["compliance"]["control"], finding["unmapped"]["evidence"]["ordinary"]) == ("LOC012", 100_007)
    assert (ledgers.open(), ledgers.subjects()) == ({("LOC012", ENTITY)}, [100_007, 0])
    assert kept(ledgers) == [("example-group", 2026, ms(LATER), 0)]
    after = ledgers.again(ledgers.offset)
    assert after.tick() == []
    assert (after.open(), after.subjects()) == ({("LOC012", ENTITY)}, [100_007, 0])
    after.tell([1], day=LONG_AGO)
    assert (after.subjects(), kept(after)) == ([100_008, 0], [("example-group", 2026, AT_MS, 1)])
    use(after)
    assert (after.open(), after.subjects()) == (set(), [1, 0])


@pytest.mark.parametrize(
    "one",
    [
        settlement(),
        settlement(entity="nobody", ordinary=1),
        settlement("2026-12-31T23:59:59+08:00", ordinary=1),
        settlement("2022-12-31T23:59:59+08:00", year=2022, sensitive=1),
    ],
)
def test_no_account_is_opened_for_nobody_or_what_lies_ahead_or_is_forgotten(one):
    ledgers = Ledgers()
    use(ledgers, one)
    assert (kept(ledgers), list(ledgers.keeper.exports.accounts())) == ([], [])


def test_an_account_is_opened_for_one_sensitive_person_of_the_first_year_kept():
    ledgers = Ledgers()
    use(ledgers, settlement("2023-12-31T23:59:59+08:00", year=2023, sensitive=1))
    assert kept(ledgers) == [("example-group", 2023, ms("2023-12-31T23:59:59+08:00"), 0)]


def test_an_account_that_the_policy_alone_speaks_of_is_judged_as_of_the_latest_export_that_it_settles():
    held = with_mechanism("standard_contract", valid_to="2026-03-02T00:00:00+08:00")
    ledgers = Ledgers()
    for settlements, opened in (
        ((settlement(sensitive=1),), set()),
        ((settlement(sensitive=1), settlement(LATER, sensitive=1)), {("LOC012", ENTITY)}),
    ):
        changed = msgspec.structs.replace(held, export_settlements=settlements)
        ledgers.keeper.use(changed, BOOK, BOOK, rule_set_hash(BOOK))
        ledgers.tick()
        assert ledgers.open() == opened


def test_exports_of_its_own_say_as_of_when_an_account_is_judged():
    ledgers = uncounted()
    use(ledgers, settlement(LATER, ordinary=1))
    assert kept(ledgers) == [("example-group", 2026, ms(THEN), 1)]


def test_persons_are_added_to_the_account_of_the_present_controller_alone():
    ledgers = Ledgers()
    at_ms = ms(THEN)
    ledgers.tell([1], controller="old-group", at_ms=at_ms, uncounted={"no_subject": 1}, uncounted_ms=at_ms)
    assert undecided(ledgers)
    use(ledgers, settlement(ordinary=60_000))
    shown = [
        ledgers.gauge("export_subjects", controller=name, entity=ENTITY, year="2026", kind="ordinary")
        for name in ("old-group", "example-group")
    ]
    assert (shown, undecided(ledgers)) == ([1, 60_000], False)
    assert kept(ledgers) == [("example-group", 2026, at_ms, 0), ("old-group", 2026, at_ms, 1)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"entity": "other"}, None),
        ({"year": 0}, None),
        ({"up_to": "2027-01-01T00:00:00+08:00"}, None),
        ({"up_to": "2026-01-01T00:00:00+08:00"}, None),
        ({"up_to": "2027-01-01T00:00:00.001+08:00"}, "outside the legal year"),
        ({"up_to": "2025-12-31T23:59:59+08:00"}, "outside the legal year"),
        ({"entity": "nobody"}, "no such entity"),
        ({"entity": "other", "ordinary": 1}, "no ledger that has a limit"),
        ({"year": 0, "sensitive": 1}, "no ledger that has a limit"),
    ],
)
def test_a_policy_with_a_settlement_that_makes_no_sense_is_refused(changes, sentence):
    found = [one for one in contradictions(policy(settlement(**changes)), ()) if "export_settlements" in one]
    assert len(found) == (sentence is not None)
    assert all(sentence in one for one in found)


def test_two_settlements_up_to_one_moment_are_refused():
    twice = policy(settlement(), settlement("2026-03-01T04:00:00+00:00", ordinary=3))
    assert any("stands twice" in sentence for sentence in contradictions(twice, ()))


def test_an_assessment_that_holds_since_decides_a_ledger_too():
    ledgers = uncounted(policy=with_mechanism("security_assessment", valid_from="2026-12-01T00:00:00+08:00"))
    ledgers.tick(ms("2026-11-30T23:59:59+08:00"))
    assert undecided(ledgers)
    ledgers.tick(ms("2026-12-01T00:00:00+08:00"))
    assert not undecided(ledgers)
    assert ledgers.gauge("ledger_outcome", entity=ENTITY, rule="LOC011", outcome="pass") == 1
