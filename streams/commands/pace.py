"""How `hegui state show` tells the pace of an export ledger, and the days that are left."""

from __future__ import annotations

from collections.abc import Iterator

from hegui.rules.exports import DAY_MS, days_until, year_end_ms
from hegui.rules.localisation.export_limits import CONTRACT_FROM, ORDINARY_LIMIT, SENSITIVE_LIMIT
from hegui.streams.state.contents import LedgerContent


def pace(ledger: LedgerContent) -> Iterator[str]:
    """Yield a line for each kind of which somebody new came in the last seven days: how many, and when the next limit is reached."""
    for kind, count, new, limits in (
        ("ordinary", ledger.ordinary, ledger.new_ordinary_7_days, (CONTRACT_FROM, ORDINARY_LIMIT)),
        ("sensitive", ledger.sensitive, ledger.new_sensitive_7_days, (SENSITIVE_LIMIT,)),
    ):
        if not new:
            continue
        told = f"{kind}: {new:,} new in 7 days"
        limit = next((limit for limit in limits if count < limit), None)
        days = None if limit is None else days_until(limit, count, new)
        if days is None:
            yield told
        elif ledger.as_of_ms + days * DAY_MS > year_end_ms(ledger.year):
            yield f"{told}, {limit:,} not within the year"
        else:
            yield f"{told}, {limit:,} in {days} day{'' if days == 1 else 's'}"
