"""TRN001."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import CrawlRecord, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import documented_crawl


@rule(
    "TRN001",
    on=IngestEvent,
    zh="训练数据缺少合法来源证明",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_7, law.TC260_003_5_1, law.GB_45654_CORPUS),
    when={"source_type": {"open", "crawl", "commercial", "user_input", "licensed"}},
    screen=documented_crawl,
    cases=(
        fails("open, no licence", source_type="open", licence_document=""),
        fails("licensed, no licence", licence_document=""),
        fails("crawled, no record", source_type="crawl", crawl=CrawlRecord(collection_record="")),
        fails("bought, no contract", source_type="commercial", contract_document=""),
        fails(
            "contract ended that moment",
            source_type="commercial",
            contract_document="c",
            contract_valid_until_ms=BASE_AT_MS,
        ),
        fails(
            "contract ended, document not stated",
            source_type="commercial",
            contract_valid_until_ms=BASE_AT_MS,
        ),
        passes("licensed, a contract had ended", contract_valid_until_ms=BASE_AT_MS),
        fails("user's input, no authorisation", source_type="user_input", user_authorisation=""),
        passes("open with licence", source_type="open"),
        passes("licensed"),
        passes("crawled with record", source_type="crawl", crawl=CrawlRecord(collection_record="r")),
        passes(
            "bought under contract",
            source_type="commercial",
            contract_document="c",
            contract_valid_until_ms=BASE_AT_MS + 1,
        ),
        passes("user's input, authorised", source_type="user_input", user_authorisation="a"),
        skips("synthetic", source_type="synthetic"),
        skips("before the law", at="2023-08-14T23:59:59+08:00", licence_document=""),
        unclear("kind of source unknown", source_type=None),
        unclear("licence not stated", licence_document=None),
        unclear("crawl not described", source_type="crawl"),
        unclear("contract not stated", source_type="commercial"),
        unclear("end of contract not stated", source_type="commercial", contract_document="c"),
        unclear("authorisation not stated", source_type="user_input"),
    ),
)
def lawful_source_missing(event: IngestEvent, facts: Facts) -> Result:
    """A training record has no document that shows a lawful source.

    Why: training data must have lawful sources, and each kind of source has its proof: a licence, a collection record, a
    contract in force, a user's authorisation. An empty text says "there is none"; a missing field is inconclusive.

    When it fires:
    1. Read `source_type` and `document` in the evidence; group the failures of the dataset by source.
    2. Obtain the document, or take the source out of the next dataset version.
    3. Watch the failure rate of this rule for that pipeline.
    """
    kind = event.source_type or "unknown"
    document, name = event.licence_document, "licence_document"
    if kind == "crawl":
        document, name = (event.crawl.collection_record if event.crawl is not None else None), "crawl.collection_record"
    elif kind == "commercial":
        document, name = event.contract_document, "contract_document"
    elif kind == "user_input":
        document, name = event.user_authorisation, "user_authorisation"
    if document == "":
        return fail("no document shows a lawful source", source_type=Code(kind), document=Code(name))
    if kind == "commercial":
        ended_at_ms = event.contract_valid_until_ms
        if ended_at_ms is not None and ended_at_ms <= facts.at_ms:
            return fail("the supply contract had ended", source_type=Code(kind), ended_at_ms=ended_at_ms)
    if document is None:
        return inconclusive(name)
    if kind == "commercial" and event.contract_valid_until_ms is None:
        return inconclusive("contract_valid_until_ms")
    return PASS
