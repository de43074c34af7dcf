"""Waivers: decisions to accept failures for a time (豁免). A waived result stays on record; an expired waiver stops waiving and says so.

The scope is written in a fixed grammar, `RULE@TENANT/SERVICE`: a rule id or a family's prefix, a tenant, and a service of the
registry or `*` for all of them. Validity counts in event time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, NamedTuple

from msgspec import Meta

from hegui.rules.registry import Instant, Name, Part, PolicyError

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}"
_SCOPE = re.compile(rf"(?P<rule>[A-Z]{{3}}(?:[0-9]{{3}})?)@(?P<tenant>{_NAME})/(?P<service>{_NAME}|\*)")


class Waiver(Part, frozen=True):
    """A decision to accept failures of a rule for a time. In the policy, or a record of the waivers topic keyed by its id."""

    id: Name
    """Its id."""
    scope: Annotated[str, Meta(max_length=300)]
    """What it waives, as `MOD001@default/chat-assistant`, `LBL@default/chat-assistant` or `MOD001@default/*`."""
    reason: Annotated[str, Meta(min_length=10)]
    """Why."""
    ticket: Annotated[str, Meta(min_length=1)]
    """Where it was decided."""
    owner: Annotated[str, Meta(min_length=1)]
    """Who answers for it."""
    approver: Annotated[str, Meta(min_length=1)]
    """Who approved it; another person than the owner."""
    valid_from: Instant
    """From when, in event time."""
    valid_to: Instant
    """Until when, in event time."""

    def key(self) -> str:
        """Return the key under which it is known."""
        return self.id

    def interval(self) -> tuple[int, int]:
        """Return from and to, epoch milliseconds."""
        return (round(self.valid_from.timestamp() * 1000), round(self.valid_to.timestamp() * 1000))


class Scope(NamedTuple):
    """A scope taken apart."""

    rule: str
    """A rule id or the prefix of a family."""
    tenant: str
    service: str
    """A service, or `*`."""


def parse_scope(scope: str) -> Scope:
    """Return the parts of a scope.

    Raises:
        PolicyError: it is not written in the grammar.
    """
    found = _SCOPE.fullmatch(scope)
    if found is None:
        raise PolicyError(
            f"the scope {scope!r} is not of the form RULE@TENANT/SERVICE; write it as MOD001@default/chat-assistant"
        )
    return Scope(found["rule"], found["tenant"], found["service"])


def check_form(waiver: Waiver, max_days: int) -> Scope:
    """Check what can be said of a waiver alone; return its scope.

    Raises:
        PolicyError: what is wrong, and the remedy.
    """
    where = f"waivers: {waiver.id}"
    try:
        scope = parse_scope(waiver.scope)
    except PolicyError as error:
        raise PolicyError(f"{where}: {error}") from None
    if waiver.owner.strip().casefold() == waiver.approver.strip().casefold():
        raise PolicyError(f"{where} has one person as owner and approver; have somebody else approve it")
    for name in ("reason", "ticket", "owner", "approver"):
        if not getattr(waiver, name).strip():
            raise PolicyError(f"{where}: {name} is blank; write it down, a reviewer reads it")
    if waiver.valid_to <= waiver.valid_from:
        raise PolicyError(f"{where} ends before it begins; set valid_to after valid_from")
    if waiver.valid_to - waiver.valid_from > timedelta(days=max_days):
        raise PolicyError(f"{where} runs longer than {max_days} days; shorten it and renew it when it is reviewed")
    return scope


def check_reach(waiver: Waiver, scope: Scope, waivable: Mapping[str, bool], services: set[tuple[str, str]]) -> None:
    """Check that a scope names a rule that may be waived, and a service of the registry.

    Args:
        waiver: the waiver.
        scope: its scope.
        waivable: rule id to "may be waived", for every known rule.
        services: tenant and name of every service of the registry.

    Raises:
        PolicyError: what is wrong, and the remedy.
    """
    where = f"waivers: {waiver.id}"
    reached = [rule_id for rule_id in waivable if rule_id.startswith(scope.rule)]
    if not reached:
        raise PolicyError(f"{where} names the rule {scope.rule!r}, which does not exist; see `hegui rules list`")
    if not any(waivable[rule_id] for rule_id in reached):
        raise PolicyError(f"{where} waives {scope.rule}, which may not be waived; remove the waiver and mend the cause")
    if not any(t == scope.tenant and scope.service in ("*", s) for t, s in services):
        raise PolicyError(
            f"{where} names the service {scope.service!r}, which is not under `services` of tenant {scope.tenant!r}"
        )


class WaiverIndex:
    """Waivers by rule, tenant and service."""

    def __init__(
        self, waivers: Iterable[Waiver], waivable: Mapping[str, bool], services: Iterable[tuple[str, str]]
    ) -> None:
        listed = set(services)
        self.without_effect: list[str] = []
        """Ids of waivers that name no rule that may be waived, or no service of the registry."""
        self.effective: list[Waiver] = []
        """The others."""
        self._index: dict[tuple[str, str, str], list[tuple[int, int, Waiver]]] = {}
        for waiver in waivers:
            scope = parse_scope(waiver.scope)
            try:
                check_reach(waiver, scope, waivable, listed)
            except PolicyError:
                self.without_effect.append(waiver.id)
                continue
            self.effective.append(waiver)
            start_ms, end_ms = waiver.interval()
            for rule_id, may_be in waivable.items():
                for tenant, service in listed:
                    if (
                        may_be
                        and rule_id.startswith(scope.rule)
                        and tenant == scope.tenant
                        and scope.service in ("*", service)
                    ):
                        entry = (start_ms, end_ms, waiver)
                        self._index.setdefault((rule_id, tenant, service), []).append(entry)

    def at(self, rule_id: str, tenant: str, service: str, at_ms: int) -> tuple[Waiver | None, Waiver | None]:
        """Return the waiver in force at `at_ms` (epoch milliseconds), and when there is none the one that ended last before it."""
        entries = self._index.get((rule_id, tenant, service))
        if entries is None:
            return None, None
        ended: tuple[int, Waiver] | None = None
        for start_ms, end_ms, waiver in entries:
            if start_ms <= at_ms < end_ms:
                return waiver, None
            if end_ms <= at_ms and (ended is None or end_ms > ended[0]):
                ended = (end_ms, waiver)
        return None, ended[1] if ended else None
