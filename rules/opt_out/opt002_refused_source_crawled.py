"""OPT002."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import CrawlRecord, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import documented_crawl

_HOUR_MS = 3_600_000


def _crawl(**changes: object) -> CrawlRecord:
    seen = {
        "fetched_at_ms": BASE_AT_MS,
        "robots": "allow",
        "robots_seen_at_ms": BASE_AT_MS - _HOUR_MS,
        "tdm_reservation": 0,
        "noai": False,
    }
    return CrawlRecord(**{**seen, **changes})  # type: ignore[arg-type]


@rule(
    "OPT002",
    on=IngestEvent,
    zh="采集了权利人明确拒绝采集的来源",
    severity="high",
    basis=(law.TC260_003_5_1, law.GB_45654_CORPUS),
    when={"source_type": {"crawl"}},
    screen=documented_crawl,
    cases=(
        fails("robots.txt says no", source_type="crawl", crawl=_crawl(robots="disallow")),
        fails("TDMRep says no", source_type="crawl", crawl=_crawl(tdm_reservation=1)),
        fails("noai", source_type="crawl", crawl=_crawl(noai=True)),
        fails("Content-Usage says no to training", source_type="crawl", crawl=_crawl(usage_preference="deny")),
        fails("of all signals only Content-Usage", source_type="crawl", crawl=CrawlRecord(usage_preference="deny")),
        fails("a yes beside a noai", source_type="crawl", crawl=_crawl(usage_preference="allow", noai=True)),
        passes("Content-Usage says yes", source_type="crawl", crawl=_crawl(usage_preference="allow")),
        passes("Content-Usage says nothing", source_type="crawl", crawl=_crawl(usage_preference="unknown")),
        unclear(
            "a yes in Content-Usage, robots.txt not looked at",
            source_type="crawl",
            crawl=_crawl(usage_preference="allow", robots=None),
        ),
        fails("one no is enough", source_type="crawl", crawl=CrawlRecord(noai=True)),
        fails(
            "robots.txt a day and a millisecond old",
            source_type="crawl",
            crawl=_crawl(robots_seen_at_ms=BASE_AT_MS - 24 * _HOUR_MS - 1),
        ),
        fails(
            "robots.txt read after the fetch",
            source_type="crawl",
            crawl=_crawl(robots_seen_at_ms=BASE_AT_MS + 1),
        ),
        fails(
            "robots.txt not fetched", source_type="crawl", crawl=_crawl(robots="not_fetched", robots_seen_at_ms=None)
        ),
        fails(
            "robots.txt too old, noai not looked at",
            source_type="crawl",
            crawl=_crawl(robots_seen_at_ms=BASE_AT_MS - 24 * _HOUR_MS - 1, noai=None),
        ),
        passes("robots.txt read at the fetch", source_type="crawl", crawl=_crawl(robots_seen_at_ms=BASE_AT_MS)),
        passes("allowed", source_type="crawl", crawl=_crawl()),
        passes("no robots.txt there", source_type="crawl", crawl=_crawl(robots="absent")),
        passes(
            "robots.txt exactly a day old",
            source_type="crawl",
            crawl=_crawl(robots_seen_at_ms=BASE_AT_MS - 24 * _HOUR_MS),
        ),
        skips("licensed, not crawled"),
        skips("before the standard", at="2024-02-28T23:59:59+08:00", source_type="crawl", crawl=_crawl(noai=True)),
        unclear("nothing said of the crawl", source_type="crawl"),
        unclear("robots.txt not looked at", source_type="crawl", crawl=_crawl(robots=None)),
        unclear("age of robots.txt unknown", source_type="crawl", crawl=_crawl(robots_seen_at_ms=None)),
        unclear("fetch time unknown", source_type="crawl", crawl=_crawl(fetched_at_ms=None)),
        unclear("TDMRep not looked at", source_type="crawl", crawl=_crawl(tdm_reservation=None)),
        unclear("noai not looked at", source_type="crawl", crawl=_crawl(noai=None)),
    ),
)
def refused_source_crawled(event: IngestEvent, facts: Facts) -> Result:
    """A record was crawled from a source that refused it by a machine-readable signal.

    Why: corpora that others have expressly refused (robots protocol or other technical limits) must not be collected. The
    signals of fetch time count; a robots.txt older than the policy allows is no answer. `usage_preference` may be absent:
    newer signals (`Content-Usage`, `Content-Signal`, C2PA) refuse where they were seen, and nobody must look for them.

    When it fires:
    1. Read `signal` in the evidence; find the record by the sample violation's `source` and `id`.
    2. Check that the crawler reads the signal before it fetches, and how long it keeps robots.txt.
    3. Remove the records of that source from the next dataset version.
    """
    crawl = event.crawl
    if crawl is None:
        return inconclusive("crawl")
    if crawl.robots == "disallow":
        return fail("robots.txt disallowed the fetch", signal=Code("robots"))
    if crawl.tdm_reservation == 1:
        return fail("text and data mining is reserved", signal=Code("tdm-reservation"))
    if crawl.noai:
        return fail("the page says noai", signal=Code("noai"))
    if crawl.usage_preference == "deny":
        return fail("the site or the content refuses training", signal=Code("usage-preference"))
    if crawl.robots == "not_fetched":
        return fail("robots.txt was not fetched", signal=Code("robots"))
    fetched_at_ms, seen_at_ms = crawl.fetched_at_ms, crawl.robots_seen_at_ms
    if fetched_at_ms is not None and seen_at_ms is not None:
        age_ms = fetched_at_ms - seen_at_ms
        if age_ms < 0:
            return fail("robots.txt was read only after the fetch", signal=Code("robots"), age_ms=age_ms)
        if age_ms > facts.policy.robots_max_age_hours * _HOUR_MS:
            return fail("robots.txt was too old when the record was fetched", signal=Code("robots"), age_ms=age_ms)
    if crawl.robots is None:
        return inconclusive("crawl.robots")
    if crawl.tdm_reservation is None:
        return inconclusive("crawl.tdm_reservation")
    if crawl.noai is None:
        return inconclusive("crawl.noai")
    if fetched_at_ms is None:
        return inconclusive("crawl.fetched_at_ms")
    if seen_at_ms is None:
        return inconclusive("crawl.robots_seen_at_ms")
    return PASS
