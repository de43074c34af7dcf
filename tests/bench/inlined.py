"""Twenty rules of the book as one stretch of plain code: what a programmer writes who has only these rules and wants speed.

`suspected` tells whether an event may fail one of them; only such events are judged by the rules themselves. No guards, no plans, no
counts, no metrics: nothing but reading fields.
"""

from __future__ import annotations

from typing import Any

from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Snapshot
from hegui.rules.labelling.annex_e import FILE_DELIVERIES, parse
from hegui.rules.labelling.provider_code import problem_of
from hegui.rules.labelling.wording import elements

RULES = frozenset(
    {
        *("LBL001", "LBL002", "LBL003", "LBL004", "LBL005", "LBL006", "LBL007", "LBL008"),
        *("LBL022", "LBL023", "LBL024", "LBL025", "LBL026", "LBL027"),
        *("LOC001", "LOG001", "MOD001", "TRN002", "TRN004", "TRN005"),
    }
)
_SIX_MONTHS_MS = 184 * 86_400_000
_IN_COURSE = frozenset({"start", "middle", "end"})
_OUTER = frozenset({"edge", "corner"})
_NO_FILES = frozenset({"inline", "ui_stream", "api"})


class Suspicion:
    """The inlined rules over one policy."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._services = snapshot.services
        self._policy = snapshot.policy
        self._regions: dict[str, bool] = {}

    def suspected(self, tenant: str, event: Any, at_ms: int) -> bool:
        """Tell whether an event may fail one of the rules."""
        if type(event) is not GenerationEvent:
            check, assessed_ms = event.content_check, event.assessed_at_ms
            return not (
                check is not None
                and check.illegal is False
                and event.legally_blocked is False
                and event.assessment_reference
                and assessed_ms is not None
                and assessed_ms <= at_ms
            )
        region = event.log_region
        mainland = self._regions.get(region)
        if mainland is None:
            if region is None:
                return True
            mainland = self._regions[region] = self._policy.in_mainland(region)
        if not mainland:
            return True
        service = self._services.get((tenant, event.service))
        if service is None:
            return True
        if not service.public_cn:
            return False
        moderation, until_ms = event.moderation, event.log_retain_until_ms
        if until_ms is None or until_ms < at_ms + _SIX_MONTHS_MS:
            return True
        if moderation is None or moderation.verdict is None or moderation.verdict == "none":
            return True
        decided_ms, delivered_ms = moderation.decided_at_ms, event.delivered_at_ms
        if decided_ms is None or decided_ms > (at_ms if delivered_ms is None else delivered_ms):
            return True
        if not moderation.engine_version:
            return True
        delivery = event.delivery
        if service.role == "generator" and event.deep_synthesis_category != 0:
            label = event.explicit_label
            if label is None or not label.present or not label.text or delivery is None or label.form == "corner_mark":
                return True
            if not (label.in_file or delivery in _NO_FILES) or elements(label.text) != (True, True):
                return True
            if event.modality == "text":
                if not label.ui_persistent and label.position not in _IN_COURSE:
                    return True
            elif event.modality == "image":
                media, height = event.media, label.height_px
                if media is None or height is None or label.position not in _OUTER:
                    return True
                across, down = media.width_px, media.height_px
                if across is None or down is None or (across > height * 20 and height * 20 < down):
                    return True
        if delivery is None:
            return True
        if delivery in FILE_DELIVERIES:
            implicit = event.implicit_label
            if implicit is None or implicit.sites is None:
                return True
            sites = implicit.sites
            if not sites:
                return implicit.container is not False
            if len(sites) != 1 or not implicit.read_back:
                return True
            found = parse(sites[0].value)
            producer, number = found.producer, found.produce_id
            return not (
                found.problem is None
                and found.label == "1"
                and producer is not None
                and producer == service.provider_code
                and problem_of(producer) is None
                and number is not None
                and number.strip("0-")
                and found.reserved_code_1
                and found.propagator == ""
            )
        return False
