"""What an exporting entity holds: security assessment, standard contract or certification, as of an event's time."""

from __future__ import annotations

from hegui.rules.events import Export, Mechanism
from hegui.rules.policy import Entity


def held_at(entity: Entity, at_ms: int) -> frozenset[Mechanism]:
    """Return the kinds of mechanism that the entity holds at `at_ms` (epoch milliseconds)."""
    return frozenset(
        mechanism.kind
        for mechanism in entity.export_mechanisms
        if mechanism.valid_from.timestamp() * 1000 <= at_ms < mechanism.valid_to.timestamp() * 1000
    )


def exempt(export: Export | None) -> bool | None:
    """Tell whether an exemption is relied on and proven (Cross-border Provisions arts. 3, 4, 5(1)-(3), 6); None: a proof is not stated."""
    if export is None or export.exemption is None:
        return False
    proofs = [export.exemption_document]
    if export.exemption == "art_6":
        proofs += [export.free_trade_zone, export.list_version]
    if "" in proofs:
        return False
    return None if None in proofs else True
