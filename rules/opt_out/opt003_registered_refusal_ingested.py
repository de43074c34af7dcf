"""OPT003."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, OptOut

_HASH = "ab" * 32
_DOMAIN = OptOut("domain", "example.com", "deny", BASE_AT_MS - 1000)
_WORK = OptOut("work", "isbn:9787000000001", "deny", BASE_AT_MS - 1000)
_CONTENT = OptOut("content", _HASH, "deny", BASE_AT_MS - 1000)


@rule(
    "OPT003",
    on=IngestEvent,
    zh="收录了登记拒绝训练的网站、作品或内容",
    severity="critical",
    basis=(law.TC260_003_5_1, law.INTERIM_MEASURES_ART_7),
    when={"source_type": {"crawl", "open"}},
    needs=("optouts",),
    cases=(
        fails("domain", source_type="crawl", url="https://example.com/a", given={"optouts": (_DOMAIN,)}),
        fails(
            "parent domain, capitals, port, user",
            source_type="crawl",
            url="HTTPS://u:p@News.Example.COM:8443/a?b",
            given={"optouts": (_DOMAIN,)},
        ),
        fails("trailing dot", source_type="open", url="https://example.com./a", given={"optouts": (_DOMAIN,)}),
        fails(
            "a Chinese domain, registered in punycode",
            source_type="crawl",
            url="https://例子.公司/a",
            given={"optouts": (OptOut("domain", "xn--fsqu00a.xn--55qx5d", "deny", BASE_AT_MS - 1000),)},
        ),
        fails("work", source_type="open", work_id="isbn:9787000000001", given={"optouts": (_WORK,)}),
        fails("content", source_type="open", content_sha256=_HASH, given={"optouts": (_CONTENT,)}),
        fails(
            "work, while neither content nor domain is",
            source_type="crawl",
            work_id="isbn:9787000000001",
            content_sha256=_HASH,
            url="https://example.com/a",
            given={"optouts": (_WORK,)},
        ),
        unclear("crawled, no address: its domain may be refused", source_type="crawl", work_id="isbn:9787000000002"),
        passes("open, no address", source_type="open", work_id="isbn:9787000000002"),
        passes(
            "another domain that ends alike",
            source_type="crawl",
            url="https://notexample.com/",
            given={"optouts": (_DOMAIN,)},
        ),
        passes(
            "registered later",
            source_type="crawl",
            url="https://example.com/",
            given={"optouts": (OptOut("domain", "example.com", "deny", BASE_AT_MS + 1),)},
        ),
        passes("nothing registered", source_type="open", work_id="isbn:9787000000001"),
        skips("licensed by contract", given={"optouts": (_WORK,)}, work_id="isbn:9787000000001"),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            source_type="open",
            work_id="isbn:9787000000001",
            given={"optouts": (_WORK,)},
        ),
        unclear("nothing to look up", source_type="crawl"),
        unclear("address without a host", source_type="crawl", url="/a/b"),
        unclear("registry not connected", source_type="crawl", url="https://example.com/", given={"optouts": None}),
    ),
)
def registered_refusal_ingested(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken in although its site, work or content is registered as refused.

    Why: what others have expressly refused must not be collected. China has no statutory exception for text and data
    mining, so a registered refusal is the practical line.

    When it fires:
    1. Read `matched` in the evidence: domain, work or content; `refused_at_ms` says since when.
    2. Stop the collection of that site or work; find what was taken since then.
    3. Remove the records from the next dataset version and answer the rights holder.
    """
    if event.url is None and event.work_id is None and event.content_sha256 is None:
        return inconclusive("url, work_id or content_sha256")
    refusal = None
    if event.work_id is not None:
        refusal = facts.opted_out("work", event.work_id)
    if refusal is None and event.content_sha256 is not None:
        refusal = facts.opted_out("content", event.content_sha256)
    if refusal is None and event.url is not None:
        try:
            refusal = facts.refused_domain(event.url)
        except ValueError:
            return inconclusive("a url with a readable host")
    if refusal is None:
        # The domain of a crawled record may be refused.
        return inconclusive("url") if event.url is None and event.source_type == "crawl" else PASS
    return fail(
        "a registered refusal covers the record", matched=Code(refusal.scheme), refused_at_ms=refusal.observed_at_ms
    )
