"""Exports that could not be counted by person, and what the deployer found of them (`export_settlements` of the policy). Pure."""

from __future__ import annotations

from typing import NamedTuple

from hegui.rules.policy import ExportSettlement, Policy


class Settled(NamedTuple):
    """What the policy says of the exports of one account that could not be counted."""

    up_to_ms: int | None
    """The latest export that was looked into, epoch milliseconds; None when none was."""
    ordinary: int
    """Persons to be added, not sensitive."""
    sensitive: int
    """Persons to be added whose information was sensitive."""


NOTHING = Settled(None, 0, 0)


def _up_to_ms(settlement: ExportSettlement) -> int:
    return round(settlement.up_to.timestamp() * 1000)


def settled(policy: Policy, entity: str, year: int, reached_ms: int) -> Settled:
    """Return what the policy settles of an entity's exports in a legal year; several entries add up.

    Args:
        policy: the policy.
        entity: the exporting entity.
        year: legal year, 0 for exports whose time cannot be trusted.
        reached_ms: event time reached, epoch milliseconds: nobody can have looked into what lies after it.
    """
    found = [
        one
        for one in policy.export_settlements
        if (one.entity, one.year) == (entity, year) and _up_to_ms(one) <= reached_ms
    ]
    if not found:
        return NOTHING
    return Settled(max(map(_up_to_ms, found)), sum(s.ordinary for s in found), sum(s.sensitive for s in found))
