"""Identities used twice: told within the window, with the same content never, and without holding what they are."""

import pytest
from msgspec.structs import replace

from hegui.rules.events import Envelope
from hegui.streams.identities import IdentityWindow
from tests.streams.example import envelope, evaluator, record
from tests.streams.test_evaluator_blocks import PLACE, started


def event(number: int, **changes: object) -> Envelope:
    return replace(envelope("image", number), **changes)


def test_other_content_under_one_identity_is_told() -> None:
    window = IdentityWindow(10)
    assert not window.reused(event(1), b"one")
    assert not window.reused(event(1), b"one")
    assert window.reused(event(1), b"two")
    assert window.reused(event(1), b"two")


@pytest.mark.parametrize("changes", [{"tenant": "t"}, {"source": "s"}, {"id": "i"}, {"revision": 1}])
def test_another_identity_or_revision_is_another_event(changes: dict[str, object]) -> None:
    window = IdentityWindow(10)
    window.reused(event(1), b"one")
    assert not window.reused(event(1, **changes), b"two")


def test_the_window_holds_the_last_events_and_not_more_than_twice_as_many() -> None:
    window = IdentityWindow(10)
    for number in range(100):
        window.reused(event(0, id=f"e-{number}"), b"one")
    told = [number for number in range(100) if window.reused(event(0, id=f"e-{number}"), b"two")]
    # Asking remembers too: what was forgotten comes in again and pushes others out.
    assert len(window._young) + len(window._old) <= 20
    window = IdentityWindow(10)
    for number in range(100):
        window.reused(event(0, id=f"e-{number}"), b"one")
    assert all(window.reused(event(0, id=f"e-{number}"), b"two") for number in range(90, 100))
    assert 0 not in told


def test_an_evaluator_records_a_reused_identity_once_for_the_second_content() -> None:
    ours = started()
    again = record("image", 1, id="test-0")
    made = ours.judge({PLACE: [record("image", 0), again]}).outputs
    results = [o for o in made if o.destination == "violations"]
    assert len(results) == 1
    assert b"EVT004" in results[0].value


def test_with_a_window_of_nothing_identities_are_not_compared() -> None:
    ours = evaluator(EVALUATOR__IDENTITY_WINDOW_EVENTS="0")
    ours.assign(PLACE, 0, 0)
    again = record("image", 1, id="test-0")
    made = ours.judge({PLACE: [record("image", 0), again]}).outputs
    assert not [o for o in made if o.destination == "violations"]
