"""What the rules say of ledgers: what an issue follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hegui.rules.core import Outcome
from hegui.rules.evidence import EvidenceValue

IssueOf = tuple[str, str, str]
"""Tenant, rule and subject of an issue."""


class Verdict(NamedTuple):
    """What one rule says of all states of one issue."""

    issue: IssueOf
    outcome: Outcome
    """Fail when it fails of one, else inconclusive when it is so of one, else pass."""
    event_ms: int
    """Event time as of which it was judged."""
    reason: str = ""
    """Why it fails: a constant sentence of the rule."""
    evidence: Mapping[str, EvidenceValue] = {}
    """What the rule showed; empty when another state fails than those that were judged now."""
