"""The numbers of persons in a legal year from which an export needs more. Cross-border Provisions arts. 5(4), 7(2), 8."""

from __future__ import annotations

from hegui.rules.core import PASS, Result, inconclusive
from hegui.rules.exports import ExportLedger

ORDINARY_LIMIT = 1_000_000
"""From so many persons (not sensitive) on a security assessment is needed. Art. 7(2)."""
SENSITIVE_LIMIT = 10_000
"""From so many persons (sensitive) on a security assessment is needed. Art. 7(2)."""
CONTRACT_FROM = 100_000
"""From so many persons (not sensitive) on a contract or certificate is needed; for sensitive ones from the first. Art. 8."""


def assessment_due(ordinary: int, sensitive: int) -> bool:
    """Tell whether so many persons in a year need a security assessment."""
    return ordinary >= ORDINARY_LIMIT or sensitive >= SENSITIVE_LIMIT


def of_unknown_entity(ledger: ExportLedger) -> Result:
    """Return what is said of a ledger whose entity the policy does not list: nothing can be, until every export of it is settled."""
    if ledger.ordinary or ledger.sensitive or ledger.uncounted:
        return inconclusive("the exporting entity in the policy")
    return PASS
