"""The cheap questions by which the engine picks the rules an event can meet at all.

A guard has a finite set of values, so the rules that apply can be looked up in a table keyed by the guards' values. A value
of `None` means unknown: a rule guarded by it is inconclusive, never inapplicable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from hegui.rules import events

if TYPE_CHECKING:
    from hegui.rules.policy import Service

_BOOLEAN = frozenset({True, False})


class Guards(msgspec.Struct, frozen=True):
    """The guards of one event type.

    `of_service` are decided by the deployer's service registry (the event's own word counts only for a service that the
    registry does not know); `of_event` are read from the event.
    """

    values: Mapping[str, frozenset[object]]
    of_service: tuple[str, ...]
    of_event: tuple[str, ...]

    def event_key(self, *, claims: bool) -> Callable[[Any], object]:
        """Return a function from an event to the hashable values of `of_event`, and with `claims` of `of_service` too."""
        return attrgetter(*self.of_event, *(self.of_service if claims else ()))

    def values_of(self, service: Service | None, key: object) -> dict[str, object]:
        """Return guard name to value for a service and an event key."""
        names = (*self.of_event, *(self.of_service if service is None else ()))
        values = dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
        if service is not None:
            values.update({name: getattr(service, name) for name in self.of_service})
        return values


GUARDS: dict[type, Guards] = {
    events.GenerationEvent: Guards(
        values={
            "modality": frozenset(get_args(events.Modality)),
            "delivery": frozenset(get_args(events.Delivery)),
            "deep_synthesis_category": frozenset(range(6)),
            "prompt_personal_information": _BOOLEAN,
            "exported": _BOOLEAN,
            "train_use": _BOOLEAN,
            "authorship_claimed": _BOOLEAN,
            "public_cn": _BOOLEAN,
            "role": frozenset(get_args(events.Role)),
        },
        of_event=(
            "modality",
            "delivery",
            "deep_synthesis_category",
            "prompt_personal_information",
            "exported",
            "train_use",
            "authorship_claimed",
        ),
        of_service=("public_cn", "role"),
    ),
    events.IngestEvent: Guards(
        values={
            "source_type": frozenset(get_args(events.SourceType)),
            "personal_information": _BOOLEAN,
        },
        of_event=("source_type", "personal_information"),
        of_service=(),
    ),
}
