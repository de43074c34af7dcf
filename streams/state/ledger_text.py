"""The ledgers as lines of text, for `hegui state show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from hegui.rules.law import SHANGHAI
from hegui.streams.state.ledger_contents import (
    CaseContent,
    CorpusContent,
    CountContent,
    CoverageContent,
    SourceContent,
)


def moment(at_ms: int) -> str:
    """Return a time as people in Shanghai write it, to the second."""
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).isoformat(timespec="seconds")


def ledger_lines(contents: Iterable[object]) -> Iterator[str]:
    """Yield a heading and a line for each kind of content that there is; sources that passed are counted only."""
    found = tuple(contents)
    sources = [one for one in found if isinstance(one, SourceContent)]
    if sources:
        condemned = [one for one in sources if one.condemned_at_ms is not None]
        yield f"{len(sources)} source{_s(sources)}, {len(condemned)} condemned"
        for source in condemned:
            share = 100 * source.illegal / source.sampled if source.sampled else 0.0
            yield (
                f"  {source.tenant}/{source.source}  illegal {source.illegal:,} of {source.sampled:,} ({share:.1f} %)  "
                f"assessed {source.assessed_illegal:,} of {source.assessed:,}  since {moment(source.condemned_at_ms or 0)}"
            )
    corpora = [one for one in found if isinstance(one, CorpusContent)]
    if corpora:
        yield f"{len(corpora)} dataset version{_s(corpora)}"
        for corpus in corpora:
            counts, name = corpus.counts, corpus.dataset or "not named"
            released = "open" if corpus.released_at_ms is None else "released " + moment(corpus.released_at_ms)
            yield (
                f"  {corpus.tenant}/{corpus.service}  {name}  records {counts['records']:,}  "
                f"human {counts['human_passed']:,} of {counts['human']:,}  "
                f"technical {counts['technical_passed']:,} of {counts['technical']:,}  {released}"
            )
    cases = [one for one in found if isinstance(one, CaseContent)]
    if cases:
        yield f"{len(cases)} open case{_s(cases)}"
        for case in sorted(cases, key=lambda one: one.opened_ms):
            yield f"  {case.case_kind}  {case.tenant}/{case.service}  {case.case}  since {moment(case.opened_ms)}"
    covered = [one for one in found if isinstance(one, CoverageContent)]
    if covered:
        yield "label coverage"
        for one in covered:
            passed = one.outputs.get("pass", 0)
            decided = passed + one.outputs.get("fail", 0)
            told = f"{100 * passed / decided:.3f} %" if decided else "undecided"
            yield f"  {one.tenant}/{one.service}  {one.modality}  {one.label}  {told} of {decided:,}"
    for count in (one for one in found if isinstance(one, CountContent)):
        yield f"{count.states:,} of {count.ledger}  {count.tenant}/{count.service or 'all services'}"


def _s(items: Sequence[object]) -> str:
    return "" if len(items) == 1 else "s"
