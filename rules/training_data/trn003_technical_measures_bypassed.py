"""TRN003."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import CrawlRecord, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import documented_crawl

_OPEN = CrawlRecord(technical_measures_bypassed=False, behind_login=False)
_BYPASSED = CrawlRecord(technical_measures_bypassed=True, behind_login=False)
_LOGIN = CrawlRecord(technical_measures_bypassed=False, behind_login=True)
_LOGIN_UNKNOWN = CrawlRecord(technical_measures_bypassed=False)


@rule(
    "TRN003",
    on=IngestEvent,
    zh="采集训练数据时避开技术措施或无合同登录采集",
    severity="high",
    stage="sandbox",
    basis=(law.COPYRIGHT_ART_49,),
    when={"source_type": {"crawl"}},
    screen=documented_crawl,
    cases=(
        fails("a technical measure was got round", source_type="crawl", crawl=_BYPASSED),
        fails("got round, with a contract", source_type="crawl", crawl=_BYPASSED, contract_document="c"),
        fails("got round, login unknown", source_type="crawl", crawl=CrawlRecord(technical_measures_bypassed=True)),
        fails("behind a login, no contract", source_type="crawl", crawl=_LOGIN, contract_document=""),
        fails(
            "behind a login, no contract, measures unknown",
            source_type="crawl",
            crawl=CrawlRecord(behind_login=True),
            contract_document="",
        ),
        passes("open page", source_type="crawl", crawl=_OPEN),
        passes("open page, no contract", source_type="crawl", crawl=_OPEN, contract_document=""),
        passes("behind a login, with a contract", source_type="crawl", crawl=_LOGIN, contract_document="c"),
        passes("login unknown, but a contract", source_type="crawl", crawl=_LOGIN_UNKNOWN, contract_document="c"),
        skips("licensed, not crawled", crawl=_BYPASSED),
        skips("before the law", at="2021-05-31T23:59:59+08:00", source_type="crawl", crawl=_BYPASSED),
        unclear("kind of source unknown", source_type=None, crawl=_BYPASSED),
        unclear("crawl not described", source_type="crawl"),
        unclear("measures unknown", source_type="crawl", crawl=CrawlRecord(behind_login=False)),
        unclear(
            "measures unknown, with a contract",
            source_type="crawl",
            crawl=CrawlRecord(behind_login=True),
            contract_document="c",
        ),
        unclear("behind a login, contract not stated", source_type="crawl", crawl=_LOGIN),
        unclear("login unknown", source_type="crawl", crawl=_LOGIN_UNKNOWN),
        unclear("login unknown, no contract", source_type="crawl", crawl=_LOGIN_UNKNOWN, contract_document=""),
    ),
)
def technical_measures_bypassed(event: IngestEvent, facts: Facts) -> Result:
    """A record was crawled past a technical measure, or behind a login without a contract.

    Why: nobody may get round the technical measures by which rights holders protect works; a login is such a measure
    unless a contract with the source allows the crawl. Whether that contract still runs is not looked at here.

    When it fires:
    1. Read `signal` in the evidence, and group the failures by `source` (the hash of `source_id`).
    2. Stop the crawl of that source; switch off the part of the crawler that gets past the measure or uses the account.
    3. Obtain a contract, or remove the records of that source from the next dataset version; tell the legal team.
    """
    crawl = event.crawl
    if crawl is None:
        return inconclusive("crawl")
    bypassed, login, contract = crawl.technical_measures_bypassed, crawl.behind_login, event.contract_document
    if bypassed:
        return fail(
            "a technical measure was got round",
            signal=Code("crawl.technical_measures_bypassed"),
            source=event.source_id,
        )
    if login and contract == "":
        return fail(
            "crawled behind a login without a contract", signal=Code("crawl.behind_login"), source=event.source_id
        )
    if bypassed is None:
        return inconclusive("crawl.technical_measures_bypassed")
    if login is False or contract:
        return PASS
    return inconclusive("contract_document" if login else "crawl.behind_login")
