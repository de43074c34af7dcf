"""OPT006."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation, WorkHit
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, Notice

_ISBN = "isbn:9787000000001"
_GRACE_MS = 72 * 3_600_000
_LONG_AGO_MS = 1_577_808_000_000  # 2020-01-01
_WORK = Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS, reference="notice-1")
_HOLDER = Notice("holder", "holder-1", BASE_AT_MS - _GRACE_MS)
_HIT = WorkHit(work_id=_ISBN)
_OTHER = WorkHit(work_id="isbn:9787000000002", holder="holder-2")


@rule(
    "OPT006",
    on=GenerationEvent,
    zh="权利人通知后仍输出与被通知作品相似的内容",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_15, law.CIVIL_CODE_NOTICE, law.ULTRAMAN_HANGZHOU),
    when={"public_cn": {True}, "work_hits": {True}},
    needs=("notices",),
    cases=(
        fails("work, exactly the grace time ago", work_hits=(_HIT,), given={"notices": (_WORK,)}),
        fails("holder", work_hits=(WorkHit(holder="holder-1"),), given={"notices": (_HOLDER,)}),
        fails(
            "the holder, not the work",
            work_hits=(WorkHit(work_id="isbn:9787000000003", holder="holder-1"),),
            given={"notices": (_HOLDER,)},
        ),
        fails(
            "the work, not the holder",
            work_hits=(WorkHit(work_id=_ISBN, holder="holder-2"),),
            given={"notices": (_WORK,)},
        ),
        fails("the first of two", work_hits=(_HIT, _OTHER), given={"notices": (_WORK,)}),
        fails("the second of two", work_hits=(_OTHER, _HIT), given={"notices": (_WORK,)}),
        fails("one without a name beside it", work_hits=(WorkHit(), _HIT), given={"notices": (_WORK,)}),
        passes(
            "a millisecond within the grace time",
            work_hits=(_HIT,),
            given={"notices": (Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS + 1),)},
        ),
        passes(
            "the notice was withdrawn",
            work_hits=(_HIT,),
            given={"notices": (Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS, BASE_AT_MS),)},
        ),
        passes("other works", work_hits=(_OTHER, WorkHit(work_id="isbn:9787000000003")), given={"notices": (_WORK,)}),
        passes("another holder", work_hits=(WorkHit(holder="holder-2"),), given={"notices": (_HOLDER,)}),
        passes(
            "held back by the filter",
            work_hits=(_HIT,),
            moderation=Moderation(action="blocked"),
            given={"notices": (_WORK,)},
        ),
        passes(
            "replaced by another output",
            work_hits=(_HIT,),
            moderation=Moderation(action="replaced"),
            given={"notices": (_WORK,)},
        ),
        passes("no notice, action unknown", work_hits=(_HIT,), moderation=None),
        skips("resembles no work", given={"notices": (_WORK,)}),
        skips("not offered to the public", work_hits=(_HIT,), given={"notices": (_WORK,), "svc": {"public_cn": False}}),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            work_hits=(_HIT,),
            given={"notices": (Notice("work", _ISBN, _LONG_AGO_MS),)},
        ),
        unclear("not compared with works", work_hits=None, given={"notices": (_WORK,)}),
        unclear("public or not is unknown", work_hits=(_HIT,), given={"notices": (_WORK,), "svc": {"public_cn": None}}),
        unclear("neither work nor holder known", work_hits=(WorkHit(work_id=""), _OTHER)),
        unclear("moderation unknown", work_hits=(_HIT,), moderation=None, given={"notices": (_WORK,)}),
        unclear("action unknown", work_hits=(_HIT,), moderation=Moderation(), given={"notices": (_WORK,)}),
        unclear("notices not connected", work_hits=(_HIT,), given={"notices": None}),
    ),
)
def output_under_notice(event: GenerationEvent, facts: Facts) -> Result:
    """A public service delivered an output that resembles a work under a rights holder's notice.

    Why: a service that knows of an infringement and takes no measures is liable with the infringer. The law says
    promptly; the policy's grace time counts. An output that was blocked or replaced shows that the measures work.

    False positives: a licence was agreed and the notice withdrawn. Set `resolved_at_ms` in the record of the notice.

    When it fires:
    1. Read `matched` and `received_at_ms` in the evidence; find the notice in the register by them.
       `notice` is the hash of its number.
    2. Put the names of the work into the keyword filter; block outputs that resemble it.
    3. Tell the rights holder what was done; watch the failure rate of this rule for that service.
    """
    notice = None
    nameless = False
    for hit in event.work_hits or ():
        if hit.work_id:
            notice = facts.notice("work", hit.work_id)
        if notice is None and hit.holder:
            notice = facts.notice("holder", hit.holder)
        if notice is not None:
            break
        if not (hit.work_id or hit.holder):
            nameless = True
    if notice is None:
        if nameless:
            return inconclusive("work_hits.work_id or work_hits.holder")
        return PASS
    action = event.moderation.action if event.moderation is not None else None
    if action is None:
        return inconclusive("moderation.action")
    if action == "delivered":
        return fail(
            "the output resembles a work under an open notice",
            matched=Code(notice.scheme),
            received_at_ms=notice.received_at_ms,
            notice=notice.reference,
        )
    return PASS
