"""OPT003."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, OptOut
from hegui.rules.iscc import is_iscc
from hegui.rules.opt_out.refusals import is_named, registered_preference

_HASH = "ab" * 32
_DOMAIN = OptOut("domain", "example.com", "deny", BASE_AT_MS - 1000)
_WORK = OptOut("work", "isbn:9787000000001", "deny", BASE_AT_MS - 1000)
_CONTENT = OptOut("content", _HASH, "deny", BASE_AT_MS - 1000)
_PREFIX = OptOut("url_prefix", "example.com/a", "deny", BASE_AT_MS - 1000)
_PAGE = OptOut("url", "example.com/a", "deny", BASE_AT_MS - 1000)
_YES = OptOut("domain", "example.com", "allow", BASE_AT_MS - 1000, source="app")
_HOLDER = OptOut("holder", "some press", "deny", BASE_AT_MS - 1000)
_ISCC = "iscc:EAA4LN74R3C3GSL5"
_CODE = OptOut("work", _ISCC, "deny", BASE_AT_MS - 1000)
_STRICT = {"opt_out_unknown": "fail"}


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
        fails(
            "prefix of the address", source_type="crawl", url="https://example.com/a/b", given={"optouts": (_PREFIX,)}
        ),
        fails(
            "prefix, percent-encoded and with dot segments",
            source_type="crawl",
            url="https://EXAMPLE.com:443/x/../%61/b?c#d",
            given={"optouts": (_PREFIX,)},
        ),
        passes(
            "another name that begins alike",
            source_type="crawl",
            url="https://example.com/ab",
            given={"optouts": (_PREFIX,)},
        ),
        fails("the page itself", source_type="crawl", url="https://example.com:443/a#b", given={"optouts": (_PAGE,)}),
        passes("below a page", source_type="crawl", url="https://example.com/a/b", given={"optouts": (_PAGE,)}),
        fails(
            "holder",
            source_type="open",
            work_id="isbn:9787000000018",
            holder="Some  Press",
            given={"optouts": (_HOLDER,)},
        ),
        fails("holder alone", source_type="open", holder="SOME PRESS", given={"optouts": (_HOLDER,)}),
        passes("content that nobody spoke of", source_type="open", content_sha256=_HASH),
        passes("another holder", source_type="open", holder="another press", given={"optouts": (_HOLDER,)}),
        fails(
            "a no beside a yes", source_type="crawl", url="https://example.com/a", given={"optouts": (_PREFIX, _YES)}
        ),
        fails(
            "work, in the older number of ten digits",
            source_type="open",
            work_id="ISBN:7-00-000000-7",
            given={"optouts": (OptOut("work", "isbn:9787000000001", "deny", BASE_AT_MS - 1000),)},
        ),
        fails(
            "mining is reserved",
            source_type="crawl",
            url="https://example.com/a",
            given={"optouts": (OptOut("url", "example.com/a", "deny", BASE_AT_MS - 1000, category="mine"),)},
        ),
        passes(
            "only search is refused",
            source_type="crawl",
            url="https://example.com/a",
            given={"optouts": (OptOut("domain", "example.com", "deny", BASE_AT_MS - 1000, category="search"),)},
        ),
        fails(
            "nothing known, and the policy asks for a yes",
            source_type="crawl",
            url="https://example.com/",
            given=_STRICT,
        ),
        passes(
            "a yes, and the policy asks for one",
            source_type="crawl",
            url="https://example.com/",
            given={**_STRICT, "optouts": (_YES,)},
        ),
        passes(
            "the work is allowed, of its address nothing is known",
            source_type="crawl",
            url="https://example.com/",
            work_id="isbn:9787000000001",
            given={**_STRICT, "optouts": (OptOut("work", "isbn:9787000000001", "allow", BASE_AT_MS - 1000),)},
        ),
        unclear(
            "nothing known, and the policy leaves it open",
            source_type="crawl",
            url="https://example.com/",
            given={"opt_out_unknown": "inconclusive"},
        ),
        fails("work", source_type="open", work_id="isbn:9787000000001", given={"optouts": (_WORK,)}),
        fails(
            "an ISCC as fingerprint",
            source_type="open",
            fingerprint="ISCC:eaa4ln74r3c3gsl5",
            given={"optouts": (_CODE,)},
        ),
        fails(
            "an ISCC as fingerprint, of a work with another number",
            source_type="open",
            work_id="isbn:9787000000001",
            fingerprint=_ISCC,
            given={"optouts": (OptOut("work", "isbn:9787000000001", "allow", BASE_AT_MS - 1000), _CODE)},
        ),
        passes("an ISCC that nobody registered", source_type="open", fingerprint=_ISCC, given={"optouts": (_WORK,)}),
        unclear("an ISCC that is none", source_type="open", fingerprint="iscc:1", content_sha256=_HASH),
        unclear("another kind of fingerprint, and nothing else", source_type="open", fingerprint="pdq:00"),
        fails("content", source_type="open", content_sha256=_HASH, given={"optouts": (_CONTENT,)}),
        fails(
            "work, while neither content nor domain is",
            source_type="crawl",
            work_id="isbn:9787000000001",
            content_sha256=_HASH,
            url="https://example.com/a",
            given={"optouts": (_WORK,)},
        ),
        unclear("crawled, no address: its domain may be refused", source_type="crawl", work_id="isbn:9787000000018"),
        passes("open, no address", source_type="open", work_id="isbn:9787000000018"),
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
        unclear("an empty work and a blank holder", source_type="open", work_id="", holder=" \t"),
        unclear("a blank work, an empty holder", source_type="open", work_id="\u3000", holder=""),
        passes(
            "an empty work, a blank holder, and the content is known",
            source_type="open",
            work_id="",
            holder=" ",
            content_sha256=_HASH,
            given={"optouts": (OptOut("work", "isbn:9787000000001", "deny", 1),)},
        ),
        unclear("a number without scheme", source_type="open", work_id="9787000000001", given={"optouts": (_WORK,)}),
        unclear("a wrong check digit", source_type="open", work_id="isbn:9787000000009", given={"optouts": (_WORK,)}),
        unclear("a work in another notation", source_type="open", work_id="https://doi.org/10.1000/1"),
        fails(
            "a number without scheme, and the content is refused",
            source_type="open",
            work_id="9787000000001",
            content_sha256=_HASH,
            given={"optouts": (_CONTENT,)},
        ),
        unclear("address without a host", source_type="crawl", url="/a/b"),
        fails(
            "a blank before the address",
            source_type="crawl",
            url=" https://example.com/a",
            given={"optouts": (_DOMAIN,)},
        ),
        fails(
            "refused domain, a port that cannot be",
            source_type="crawl",
            url="https://example.com:99999/",
            given={"optouts": (_DOMAIN, _PAGE)},
        ),
        unclear("two schemes", source_type="crawl", url="https://https://example.com/"),
        unclear(
            "a backslash in the path, where pages are registered",
            source_type="crawl",
            url="https://example.com/x\\..\\a",
            given={"optouts": (_PAGE,)},
        ),
        unclear("registry not connected", source_type="crawl", url="https://example.com/", given={"optouts": None}),
    ),
)
def registered_refusal_ingested(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken in although its site, page, work, content or rights holder is registered as refused.

    Why: what others have expressly refused must not be collected. China has no statutory exception for text and data
    mining, so a registered refusal is the practical line. Any no among the statements wins. Whether nothing known is
    enough, `opt_out_unknown` of the policy says.

    False positives: a licence covers the content, or its conditions are met. State the source as licensed.

    When it fires:
    1. Read `matched` in the evidence: domain, prefix of addresses, page, work, content or holder; `refused_at_ms` says
       since when. `hegui optouts lookup` shows every statement that covers it.
    2. Stop the collection of that site or work; find what was taken since then.
    3. Remove the records from the next dataset version and answer the rights holder.
    """
    if (
        event.url is None
        and event.content_sha256 is None
        and not is_named(event.work_id)
        and not is_named(event.holder)
        and not is_iscc(event.fingerprint)
    ):
        return inconclusive("url, work_id or content_sha256")
    known, unreadable = registered_preference(event, facts)
    refusal = known.statement
    if refusal is not None and refusal.value == "deny":
        return fail(
            "a registered refusal covers the record", matched=Code(refusal.scheme), refused_at_ms=refusal.observed_at_ms
        )
    if unreadable is not None:
        return inconclusive(unreadable)
    if event.url is None and event.source_type == "crawl":
        return inconclusive("url")  # the domain of a crawled record may be refused
    unknown = facts.snapshot.policy.opt_out_unknown
    if refusal is not None or unknown == "pass":
        return PASS
    if unknown == "fail":
        return fail("nobody is known to have allowed training on the record", matched=Code("nothing"))
    return inconclusive("a statement about training")
