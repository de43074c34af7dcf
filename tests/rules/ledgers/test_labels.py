"""The label index: a number on two contents, and a label that was lost, in whichever order they are told."""

from itertools import permutations

import msgspec

from hegui.rules.core import Outcome
from hegui.rules.ledgers.labels import (
    DAY_MS,
    MAX_CONTENTS,
    MAX_EVENTS,
    SHOWN_MS,
    ContentLabelState,
    ContentLabelUse,
    NumberUse,
    ProduceIdState,
    ProduceIdUse,
    Sent,
)
from hegui.rules.policy import Policy
from tests.rules.ledgers.telling import POLICY, At, outcomes, told

NOW_MS = 1_780_000_000_000


def number(content: str, at_ms: int = NOW_MS, event: str = "", revision: int = 0) -> ProduceIdUse:
    uses = (NumberUse(at_ms, content, event or f"{content}@{at_ms}", revision),)
    return ProduceIdUse(tenant="default", service="svc", produce_id="n", uses=uses, last_ms=at_ms)


def labelled(at_ms: int = NOW_MS) -> ContentLabelUse:
    return ContentLabelUse(tenant="default", content="c", labelled_ms=at_ms)


def lost(
    service: str = "svc", at_ms: int = NOW_MS, event: str = "e", revision: int = 0, *, labelled: bool = False
) -> ContentLabelUse:
    sent = Sent(service, at_ms, event, revision, labelled=labelled)
    return ContentLabelUse(tenant="default", content="c", lost=(sent,))


def test_one_content_many_times_is_one_content() -> None:
    state = told(number("a"), number("a", NOW_MS + 9))
    assert state.last_ms == NOW_MS + 9
    assert outcomes(state, NOW_MS) == {}
    assert state.wake_ms(NOW_MS, POLICY) is None


def test_a_second_content_fails_for_a_day() -> None:
    state = told(number("a"), number("b", NOW_MS + 5))
    assert outcomes(state, NOW_MS) == {"LBL029": Outcome.FAIL}
    assert outcomes(state, NOW_MS + 5 + SHOWN_MS) == {"LBL029": Outcome.FAIL}
    assert state.wake_ms(NOW_MS, POLICY) == NOW_MS + 5 + SHOWN_MS + 1
    assert outcomes(state, NOW_MS + 5 + SHOWN_MS + 1) == {"LBL029": Outcome.PASS}
    assert state.wake_ms(NOW_MS + 5 + SHOWN_MS + 1, POLICY) is None


def test_a_number_that_goes_on_to_be_used_stays_a_fault() -> None:
    day = [number(f"c{n}", NOW_MS + n * DAY_MS // 5) for n in range(30)]
    state = told(*day)
    assert outcomes(state, state.last_ms + SHOWN_MS) == {"LBL029": Outcome.FAIL}


def test_the_order_does_not_matter_and_few_contents_are_kept() -> None:
    parts = [number(content, NOW_MS + n) for n, content in enumerate("abcdef")]
    assert len({told(*order) for order in permutations(parts)}) == 1
    assert len(told(*parts).uses) == MAX_CONTENTS
    assert parts[0].merged(parts[1]).uses == (*parts[0].uses, *parts[1].uses)
    many = [number("a", NOW_MS + n) for n in range(6)]
    assert [use.at_ms - NOW_MS for use in told(*many).uses] == [*range(MAX_EVENTS)]


def test_a_content_that_a_revision_names_takes_the_place_of_the_one_before() -> None:
    """A label applied afterwards changes the file, and is no second use of the number."""
    parts = [number("a", event="e"), number("b", NOW_MS + 9, event="e", revision=1), number("a", event="e")]
    for order in permutations(parts):
        state = told(*order)
        assert [use.content for use in state.uses] == ["b"]
        assert outcomes(state, NOW_MS) == {}
        assert order[0].merged(order[1]).merged(order[2]).uses == state.uses
    other = told(*parts, number("a", NOW_MS + 20, event="of another"))
    assert outcomes(other, NOW_MS) == {"LBL029": Outcome.FAIL}, "another event has the content that was taken back"
    two = told(number("a", event="e"), number("b", event="f"))
    assert outcomes(two, NOW_MS) == {"LBL029": Outcome.FAIL}
    assert outcomes(two.step(At(), number("a", event="f", revision=1)), NOW_MS) == {}


def test_what_an_older_version_kept_without_events_still_counts() -> None:
    old = (
        b'{"ledger":"produce_id","tenant":"default","service":"svc","produce_id":"n","contents":[["a",5]],"last_ms":5}'
    )
    state = msgspec.json.decode(old, type=ProduceIdState)
    assert outcomes(state, 5) == {}
    assert outcomes(state.step(At(), number("a")), NOW_MS) == {}
    assert outcomes(state.step(At(), number("b")), NOW_MS) == {"LBL029": Outcome.FAIL}
    told_by_old = ProduceIdUse(tenant="default", service="svc", produce_id="n", contents=(("b", 7),), last_ms=7)
    assert state.step(At(), told_by_old).judgement(7, POLICY) is not None
    assert told_by_old.merged(number("c")).contents == (("b", 7),)
    old = b'{"ledger":"content_label","tenant":"default","content":"c","labelled_ms":4,"lost":[["svc",5],["b",6]]}'
    label = msgspec.json.decode(old, type=ContentLabelState)
    assert (label.subject, label.judgement(6, POLICY) is not None) == ("b", True)


def test_a_label_that_was_found_after_all_takes_back_its_loss() -> None:
    parts = [labelled(), lost(), lost(revision=1, labelled=True), lost(at_ms=NOW_MS - 5)]
    for order in permutations(parts):
        state = told(*order)
        assert outcomes(state, NOW_MS) == {}
        assert (state.subject, state.wake_ms(0, POLICY)) == ("", None)
    other = told(*parts, lost("b", event="f"))
    assert (other.subject, outcomes(other, NOW_MS)) == ("b", {"LBL030": Outcome.FAIL})
    assert len(told(*(lost(event=f"e{n}") for n in range(9))).lost) == MAX_EVENTS


def test_a_label_that_was_lost_fails_in_whichever_order_it_is_told() -> None:
    for order in permutations([labelled(), lost(at_ms=NOW_MS + 3), labelled(NOW_MS + 8)]):
        state = told(*order)
        assert outcomes(state, NOW_MS + 3) == {"LBL030": Outcome.FAIL}
        assert state.subject == "svc"
        assert state.wake_ms(NOW_MS, POLICY) == NOW_MS + 3 + SHOWN_MS + 1
    assert outcomes(state, NOW_MS + 4 + SHOWN_MS) == {"LBL030": Outcome.PASS}
    assert state.wake_ms(NOW_MS + 4 + SHOWN_MS, POLICY) is None


def test_content_that_nobody_labelled_or_nobody_lost_is_no_fault() -> None:
    for state in (told(labelled()), told(lost())):
        assert outcomes(state, NOW_MS) == {}
        assert state.wake_ms(0, POLICY) is None
    assert told(labelled()).subject == ""


def test_the_service_that_lost_it_last_is_named() -> None:
    assert told(labelled(), lost("b", NOW_MS + 2), lost("a", NOW_MS + 1, "f")).subject == "b"
    assert labelled().merged(lost()).lost == lost().lost


def test_what_is_known_already_changes_nothing() -> None:
    state = told(labelled(), lost())
    assert state.step(At(), lost(at_ms=NOW_MS - 5)) is state
    other = told(number("a"))
    assert other.step(At(), number("a", NOW_MS - 1)).last_ms == NOW_MS
    assert other.step(At(), number("a")) is other


def test_the_index_reaches_as_far_as_the_policy_says() -> None:
    policy = Policy(version="v", label_index_days=7)
    assert told(number("a"), number("b", NOW_MS + 5)).over_ms(policy) == NOW_MS + 5 + 7 * DAY_MS
    assert told(labelled(), lost(at_ms=NOW_MS + 9)).over_ms(policy) == NOW_MS + 9 + 7 * DAY_MS
    assert told(lost()).over_ms(policy) == told(labelled()).over_ms(policy) == NOW_MS + 7 * DAY_MS


def test_what_observations_were_lost_leaves_no_label_undecided() -> None:
    for entry in (number("a"), lost()):
        assert entry.begin().may_lack(0, POLICY) is False
