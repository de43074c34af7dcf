"""Legal time: calendar months in Asia/Shanghai (Civil Code art. 200-203: months are calendar months, not 30 days)."""

from __future__ import annotations

import calendar
from datetime import datetime

from hegui.rules.law import SHANGHAI


def add_months(at_ms: int, months: int) -> int:
    """Return `at_ms` (epoch milliseconds) plus calendar months; a day that the month lacks becomes its last day."""
    start = datetime.fromtimestamp(at_ms / 1000, SHANGHAI)
    years, month0 = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month0 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return round(start.replace(year=year, month=month, day=day).timestamp() * 1000)
