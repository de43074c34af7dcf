"""Exports that could not be counted by person, and what the deployer found of them (`export_settlements` of the policy). Pure."""

from __future__ import annotations

from typing import NamedTuple

from hegui.rules.exports import Account, controller_of
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


def up_to_ms(settlement: ExportSettlement) -> int:
    """Return the latest export that was looked into, epoch milliseconds."""
    return round(settlement.up_to.timestamp() * 1000)


def settled(policy: Policy, of: Account, reached_ms: int) -> Settled:
    """Return what the policy settles of the exports in an account; several entries add up.

    Where the entity's controller changed within the year it has several accounts: the persons are added to that of the present
    controller alone.

    Args:
        policy: the policy.
        of: the account; the year is 0 for exports whose time cannot be trusted.
        reached_ms: event time reached, epoch milliseconds: nobody can have looked into what lies after it.
    """
    found = [
        one
        for one in policy.export_settlements
        if (one.entity, one.year) == (of.entity, of.year) and up_to_ms(one) <= reached_ms
    ]
    if not found:
        return NOTHING
    latest_ms = max(map(up_to_ms, found))
    entity = next((entity for entity in policy.entities if entity.name == of.entity), None)
    if entity is not None and of.controller != controller_of(entity):
        return Settled(latest_ms, 0, 0)
    return Settled(latest_ms, sum(s.ordinary for s in found), sum(s.sensitive for s in found))
