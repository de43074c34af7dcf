"""One batch in, results out: violations, dead letters, times that cannot be trusted, services nobody registered."""

import base64

import msgspec
import pytest
from msgspec.structs import replace
from nacl.public import PrivateKey, SealedBox

from hegui.rules.core import Outcome
from hegui.rules.facts import loaded
from hegui.rules.observations import Observation
from hegui.rules.violations import Violation, identity_uid, result_uid
from hegui.streams import simulation
from hegui.streams.dead_letters import DeadLetter, sealer
from hegui.streams.errors import SettingsError
from hegui.streams.evaluator import Evaluator
from hegui.streams.simulation import SOUND
from tests.data.make import START_MS
from tests.streams.example import (
    KINDS,
    OPTOUTS,
    RULES,
    TOPIC,
    engine,
    evaluator,
    record,
    records,
    settings,
)
from tests.streams.fakes import MAX_REQUEST_BYTES, FakeRecord

PLACE = (TOPIC, 0)
DAY_MS = 86_400_000


def judged(batch, ours=None, resume_at=0):
    ours = ours or evaluator()
    ours.assign(PLACE, batch[0].offset, resume_at)
    return ours.judge({PLACE: batch})


def violations(judgement):
    return [msgspec.json.decode(o.value, type=Violation) for o in judgement.outputs if o.destination == "violations"]


def dead_letters(judgement):
    return [msgspec.json.decode(o.value, type=DeadLetter) for o in judgement.outputs if o.destination == "dead_letters"]


def outcomes(ours):
    """Rule to outcomes counted, of all services."""
    ours.tick({})
    found = {}
    for (_, rule, outcome), n in ours.tallies.evaluations.items():
        found.setdefault(rule, {})[outcome] = n
    return found


@pytest.mark.parametrize("kind", sorted(SOUND))
def test_a_sound_event_leads_to_no_record(kind):
    judgement = judged([record(kind)])
    assert judgement.outputs == []
    assert judgement.positions == {PLACE: 1}


def test_a_violation_says_who_what_and_where():
    ours = evaluator()
    (made,) = violations(judged([record("LBL001", 7)], ours))
    assert (made.tenant, made.source, made.id, made.service) == (
        "default",
        "simulation/image-studio",
        "test-7",
        "image-studio",
    )
    assert (made.topic, made.partition, made.offset) == (TOPIC, 0, 7)
    assert made.uid == identity_uid("default", made.source, made.id)
    assert made.results[0].uid == result_uid("LBL001", "default", made.source, made.id)
    assert (made.policy, made.rule_set) == ("example-1", ours.versions.engines[0].rule_set)
    assert made.occurred_at_ms == START_MS + 7000
    assert made.results[0].clauses


def test_the_record_is_keyed_by_its_uid_and_says_its_type():
    (output,) = judged([record("LBL001")]).outputs
    made = msgspec.json.decode(output.value, type=Violation)
    assert output.key == made.uid.encode()
    headers = dict(output.headers)
    assert headers["ce_id"] == output.key
    assert (headers["ce_type"], headers["content-type"]) == (b"hegui.violation.v1", b"application/json")


def test_a_waived_failure_stays_on_record():
    (made,) = violations(judged([record("waived")]))
    assert [(r.rule, r.outcome, r.waiver) for r in made.results] == [("MOD001", Outcome.WAIVED, "W-1")]


def test_the_positions_of_the_facts_stand_in_the_result():
    table = loaded(OPTOUTS)
    table.positions[0] = 4
    (made,) = violations(judged([record("LBL001")], Evaluator(settings(), engine(table))))
    assert made.facts == {"optouts": {"0": 4}}


def test_a_rule_that_raises_is_on_record_and_the_others_still_run():
    def broken(_event, _facts):
        raise ZeroDivisionError

    from dataclasses import replace as rule_with

    rules = [rule_with(rule, check=broken) if rule.id == "LBL001" else rule for rule in RULES]
    ours = Evaluator(settings(), engine(rules=rules))
    (made,) = violations(judged([record("LBL002")], ours))
    assert {(r.rule, r.outcome) for r in made.results} == {("LBL001", Outcome.ERROR), ("LBL002", Outcome.FAIL)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "tombstone"), (b"x" * 10_000_000, "too_large"), (b"", "not_json"), (b"\xff", "wrong_encoding")],
)
def test_what_cannot_be_decoded_becomes_a_dead_letter_without_its_payload(value, reason):
    judgement = judged([FakeRecord(5, START_MS, value)])
    (letter,) = dead_letters(judgement)
    assert (letter.topic, letter.partition, letter.offset, letter.timestamp_ms) == (TOPIC, 0, 5, START_MS)
    assert (letter.reason, letter.sealed) == (reason, None)
    assert letter.value_bytes == (None if value is None else len(value))
    assert len(judgement.outputs[0].value) < 600
    assert judgement.positions == {PLACE: 6}


def test_a_bad_record_does_not_stop_the_ones_behind_it():
    ours = evaluator()
    judgement = judged([record("LBL001", 0), FakeRecord(1, START_MS, b"bad"), record("LBL001", 2)], ours)
    assert [o.destination for o in judgement.outputs] == ["violations", "dead_letters", "violations"]
    assert ours.tallies.dead_letters == {(TOPIC, "not_json"): 1}


def test_a_sealed_payload_is_opened_with_the_operators_key_only():
    key = PrivateKey.generate()
    seal = sealer(base64.b64encode(bytes(key.public_key)).decode())
    value = b'{"prompt": "secret words"'
    judgement = judged([FakeRecord(0, START_MS, value)], Evaluator(settings(), engine(), seal))
    (letter,) = dead_letters(judgement)
    assert b"secret" not in judgement.outputs[0].value
    assert SealedBox(key).decrypt(base64.b64decode(letter.sealed)) == value


@pytest.mark.parametrize("size", [900_000, 10_000_000])
def test_a_sealed_dead_letter_is_never_too_large_to_send(size):
    seal = sealer(base64.b64encode(bytes(PrivateKey.generate().public_key)).decode())
    judgement = judged([FakeRecord(0, START_MS, b"x" * size)], Evaluator(settings(), engine(), seal))
    assert len(judgement.outputs[0].value) < MAX_REQUEST_BYTES - 1000


@pytest.mark.parametrize("key", ["not base64!", "AAAA"])
def test_a_bad_key_is_refused_at_start(key):
    with pytest.raises(SettingsError, match=r"dead_letters\.public_key is no X25519 public key"):
        sealer(key)


@pytest.mark.parametrize("off_ms", [301_000, -401 * DAY_MS, 10 * 365 * DAY_MS, -100_000 * DAY_MS])
def test_a_time_that_disagrees_with_the_brokers_fails_itself_and_leaves_the_law_undecided(off_ms):
    ours = evaluator()
    batch = [record("LBL001", at_ms=max(DAY_MS, START_MS + off_ms), broker_ms=START_MS)]
    (made,) = violations(judged(batch, ours))
    assert [(result.rule, result.outcome) for result in made.results] == [("EVT002", Outcome.FAIL)]
    assert outcomes(ours)["LBL001"] == {Outcome.INCONCLUSIVE: 1}
    assert outcomes(ours)["LOC001"] == {Outcome.INCONCLUSIVE: 1}


@pytest.mark.parametrize("off_ms", [301_000, -401 * DAY_MS])
def test_the_same_holds_for_training_records(off_ms):
    ours = evaluator()
    (made,) = violations(judged([record("TRN001", at_ms=START_MS + off_ms, broker_ms=START_MS)], ours))
    assert [(result.rule, result.outcome) for result in made.results] == [("EVT005", Outcome.FAIL)]
    assert outcomes(ours)["TRN001"] == {Outcome.INCONCLUSIVE: 1}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_the_calendar_are_judged_without_harm_and_dated_by_the_broker(time):
    value = simulation.encode(simulation.envelope(KINDS["LBL001"](0, START_MS), 0, START_MS, "t"))
    value = value.replace(b'"2026-11-20T02:00:00Z"', f'"{time}"'.encode())
    ours = evaluator()
    (made,) = violations(judged([FakeRecord(0, START_MS, value)], ours))
    assert [result.rule for result in made.results] == ["EVT002"]
    told = [msgspec.json.decode(o.value, type=Observation) for o in ours.tick({})]
    assert outcomes(ours)["LBL001"] == {Outcome.INCONCLUSIVE: 1}
    sums = [s for o in told for s in o.sums if s.failures]
    assert [(s.rule, s.first_failure_ms, s.last_failure_ms) for s in sums] == [("EVT002", START_MS, START_MS)]


@pytest.mark.parametrize("off_ms", [299_000, -399 * DAY_MS])
def test_within_the_limits_the_events_own_time_is_trusted(off_ms):
    batch = [record("LBL001", at_ms=START_MS + off_ms, broker_ms=START_MS)]
    assert len(violations(judged(batch))) == 1


def test_a_service_nobody_registered_is_called_other_in_results_and_counts():
    event = record("LBL001")
    event.value = event.value.replace(
        b'"service":"image-studio"', b'"service":"shadow-17","public_cn":true,"role":"generator"'
    )
    ours = evaluator()
    (made,) = violations(judged([event], ours))
    assert made.service == "other"
    ours.tick({})
    assert set(ours.tallies.events) == {("generation", "other")}


def test_a_strange_tenant_does_not_become_a_label():
    ours = evaluator()
    judged([record("LBL001", tenant="tenant-99")], ours)
    ours.tick({})
    assert {service for _, service in ours.tallies.events} == {"other"}


def test_records_of_a_partition_that_was_given_up_are_passed_over():
    ours = evaluator()
    judged(records(["LBL001"]), ours)
    ours.revoke(PLACE)
    judgement = ours.judge({PLACE: records(["LBL001"], 1)})
    assert (judgement.outputs, judgement.positions) == ([], {})
    assert ours.tallies.events == {("generation", "image-studio"): 1}


def test_the_oldest_record_counts_only_when_judged_for_the_first_time():
    ours = evaluator()
    judgement = judged(records(["image"] * 3), ours, resume_at=3)
    assert judgement.oldest_ms is None
    assert ours.judge({PLACE: records(["image"], 3)}).oldest_ms == START_MS + 3020


def test_the_corrected_event_is_on_record_with_what_still_fails():
    event = record("LBL001", revision=1)
    (made,) = violations(judged([event]))
    assert made.revision == 1
    (corrected,) = violations(judged([record("image", revision=2)]))
    assert (corrected.revision, corrected.results) == (2, ())
    assert replace(corrected, results=made.results, revision=1).uid == made.uid
