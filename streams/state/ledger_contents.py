"""What the ledgers hold, for people and auditors: counts and references, no person, no session and no content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from hegui.rules.blocks import totals
from hegui.rules.ledgers.abuse import AbuseState
from hegui.rules.ledgers.corpora import CorpusState
from hegui.rules.ledgers.coverage import CoverageState
from hegui.rules.ledgers.deadlines import CaseKind, CaseState
from hegui.rules.ledgers.form import State
from hegui.rules.ledgers.labels import ContentLabelState, ProduceIdState
from hegui.rules.ledgers.samples import SampleState
from hegui.rules.ledgers.sessions import SessionState
from hegui.rules.ledgers.sources import SourceState


class SourceContent(msgspec.Struct, frozen=True, tag="source", tag_field="kind"):
    """One source."""

    tenant: str
    """The tenant."""
    source: str
    """Reference: `sha256:` and 32 hex digits of `source_id`."""
    sampled: int
    """Records that were checked."""
    illegal: int
    """Those of them that were illegal."""
    assessed: int
    """Records of its latest assessment before collection."""
    assessed_illegal: int
    """Those of them that were illegal."""
    condemned_at_ms: int | None
    """From when nothing may be taken from it."""


class CorpusContent(msgspec.Struct, frozen=True, tag="corpus", tag_field="kind"):
    """One dataset version."""

    tenant: str
    """The tenant."""
    service: str
    """The pipeline."""
    dataset: str
    """Stands for dataset and version: 32 hex digits; empty: records that named none."""
    counts: dict[str, int]
    """Records and samples."""
    released_at_ms: int | None
    """When it was released for training."""


class CaseContent(msgspec.Struct, frozen=True, tag="case", tag_field="kind"):
    """One notice, complaint or incident that was not dealt with yet."""

    tenant: str
    """The tenant."""
    service: str
    """The service."""
    case_kind: CaseKind
    """What it is."""
    case: str
    """Stands for its identity."""
    opened_ms: int
    """When the clock began."""


class CountContent(msgspec.Struct, frozen=True, tag="count", tag_field="kind"):
    """How many states of a kind are kept of one service."""

    tenant: str
    """The tenant."""
    service: str
    """The service; empty for contents, which belong to all services of a tenant."""
    ledger: str
    """`session`, `case` (dealt with), `abuse` (users), `produce_id` or `content_label`."""
    states: int
    """How many."""


class CoverageContent(msgspec.Struct, frozen=True, tag="coverage", tag_field="kind"):
    """Label coverage of one service and modality."""

    tenant: str
    """The tenant."""
    service: str
    """The service."""
    modality: str
    """Kind of content."""
    label: str
    """`explicit` or `implicit`."""
    outputs: dict[str, int]
    """Outcome to outputs."""


StateContent = SourceContent | CorpusContent | CaseContent | CountContent | CoverageContent


def state_contents(states: Iterable[State[Any]]) -> list[StateContent]:
    """Return what states hold, in the order of their names; what there can be millions of is counted."""
    found: list[StateContent] = []
    counts: Counter[tuple[str, str, str]] = Counter()
    for state in states:
        match state:
            case SourceState():
                total = totals(state.marks)
                found.append(
                    SourceContent(
                        state.tenant,
                        state.source,
                        total.get("sampled", 0),
                        total.get("illegal", 0),
                        state.assessed,
                        state.assessed_illegal,
                        state.condemned_at_ms,
                    )
                )
            case CorpusState():
                found.append(
                    CorpusContent(state.tenant, state.service, state.dataset, state.counts(), state.released_at_ms)
                )
            case CoverageState():
                found.append(
                    CoverageContent(state.tenant, state.service, state.modality, state.label, totals(state.marks))
                )
            case CaseState(done_ms=None):
                found.append(CaseContent(state.tenant, state.service, state.kind, state.case, state.opened_ms))
            case SampleState():
                pass  # counted in its dataset version
            case CaseState() | SessionState() | AbuseState() | ProduceIdState() | ContentLabelState():
                service = "" if isinstance(state, ContentLabelState) else state.service
                counts[state.tenant, service, str(state.__struct_config__.tag)] += 1
    found += [CountContent(*key, n) for key, n in counts.items()]
    return sorted(found, key=lambda one: (type(one).__name__, msgspec.json.encode(one)))
