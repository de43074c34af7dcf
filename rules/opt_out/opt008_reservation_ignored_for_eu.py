"""OPT008."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import CrawlRecord, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import documented_crawl

_EU = {"pipeline": {"eu_facing": True}}
_RESERVED = CrawlRecord(tdm_reservation=1)


@rule(
    "OPT008",
    on=IngestEvent,
    zh="面向欧盟的模型采集了权利人以机器可读方式保留文本与数据挖掘权利的内容",
    severity="medium",
    stage="sandbox",
    basis=(law.EU_DSM_ART_4,),
    when={"eu_facing": {True}, "source_type": {"crawl"}},
    screen=documented_crawl,
    cases=(
        fails("reserved", source_type="crawl", crawl=_RESERVED, given=_EU),
        passes("not reserved", source_type="crawl", crawl=CrawlRecord(tdm_reservation=0), given=_EU),
        skips("no users in the European Union", source_type="crawl", crawl=_RESERVED),
        skips("licensed, not crawled", crawl=_RESERVED, given=_EU),
        skips("before the law", at="2021-06-06T23:59:59+08:00", source_type="crawl", crawl=_RESERVED, given=_EU),
        unclear("nothing said of the crawl", source_type="crawl", given=_EU),
        unclear("signal not looked at", source_type="crawl", crawl=CrawlRecord(robots="allow"), given=_EU),
        unclear("kind of source unknown", source_type=None, crawl=_RESERVED, given=_EU),
        unclear("users unknown", source_type="crawl", crawl=_RESERVED, given={"pipeline": {"eu_facing": None}}),
        unclear("unknown pipeline", service="nobody", source_type="crawl", crawl=_RESERVED),
    ),
)
def reservation_ignored_for_eu(event: IngestEvent, facts: Facts) -> Result:
    """A model for users in the European Union took in content whose mining is reserved.

    Why: in the European Union a rights holder may reserve text and data mining by a machine-readable signal, and the
    exception then gives no right to copy. A reservation in plain words is not judged here: courts have not settled
    it.

    False positives: a licence covers the content. State the source as licensed.

    When it fires:
    1. Read `signal` in the evidence; find the record by the sample violation's `source` and `id`.
    2. Make the crawler of that pipeline read the TDMRep signal before it stores a page.
    3. Remove the records of that source from the next dataset version.
    """
    crawl = event.crawl
    if crawl is None or crawl.tdm_reservation is None:
        return inconclusive("crawl.tdm_reservation")
    if crawl.tdm_reservation == 1:
        return fail("text and data mining is reserved", signal=Code("tdm-reservation"))
    return PASS
