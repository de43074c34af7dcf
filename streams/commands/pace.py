"""How `hegui state show` tells how near an export ledger is to the limits of the year, what the policy settles, the pace, and the days that are left."""

from __future__ import annotations

from collections.abc import Iterator

from hegui.rules.export_settlements import settled
from hegui.rules.exports import DAY_MS, Account, days_until, year_end_ms
from hegui.rules.localisation.export_limits import CONTRACT_FROM, ORDINARY_LIMIT, SENSITIVE_LIMIT
from hegui.rules.policy import Policy
from hegui.streams.state.contents import LedgerContent
from hegui.streams.state.ledger_text import moment

_ORDINARY = (CONTRACT_FROM, ORDINARY_LIMIT)
_SENSITIVE = (SENSITIVE_LIMIT,)


def counts(ledger: LedgerContent) -> str:
    """Return both counts of a ledger, each with the percent of the next limit, whatever the entity holds."""
    return "  ".join(
        f"{kind} {count:,} ({_share(count, limits)})"
        for kind, count, limits in (
            ("ordinary", ledger.ordinary, _ORDINARY),
            ("sensitive", ledger.sensitive, _SENSITIVE),
        )
    )


def settlement(ledger: LedgerContent, policy: Policy) -> Iterator[str]:
    """Yield a line on what the policy settles of the exports that could not be counted; the counts above it are without that."""
    of = Account(ledger.tenant, ledger.controller, ledger.entity, ledger.year)
    found = settled(policy, of, ledger.as_of_ms)
    if found.up_to_ms is None:
        return
    still = "" if ledger.uncounted_until_ms <= found.up_to_ms else "; later ones are open"
    yield (
        f"settled by the policy up to {moment(found.up_to_ms)}: "
        f"{found.ordinary:,} ordinary and {found.sensitive:,} sensitive to be added{still}"
    )


def _share(count: int, limits: tuple[int, ...]) -> str:
    limit = _next(count, limits)
    return f"over {limits[-1]:,}" if limit is None else f"{100 * count // limit} % of {limit:,}"


def _next(count: int, limits: tuple[int, ...]) -> int | None:
    return next((limit for limit in limits if count < limit), None)


def pace(ledger: LedgerContent) -> Iterator[str]:
    """Yield a line for each kind of which somebody new came in the last seven days: how many, and when the next limit is reached."""
    for kind, count, new, limits in (
        ("ordinary", ledger.ordinary, ledger.new_ordinary_7_days, _ORDINARY),
        ("sensitive", ledger.sensitive, ledger.new_sensitive_7_days, _SENSITIVE),
    ):
        if not new:
            continue
        told = f"{kind}: {new:,} new in 7 days"
        limit = _next(count, limits)
        days = None if limit is None else days_until(limit, count, new)
        if days is None:
            yield told
        elif ledger.as_of_ms + days * DAY_MS > year_end_ms(ledger.year):
            yield f"{told}, {limit:,} not within the year"
        else:
            yield f"{told}, {limit:,} in {days} day{'' if days == 1 else 's'}"
