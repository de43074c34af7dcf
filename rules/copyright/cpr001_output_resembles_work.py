"""CPR001."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, Moderation, WorkHit
from hegui.rules.facts import Facts

_SIMILAR = WorkHit(work_id="isbn:9787000000001", similarity_percent=90)
_UNLIKE = WorkHit(work_id="isbn:9787000000002", similarity_percent=89)
_UNMEASURED = WorkHit(work_id="isbn:9787000000003")


@rule(
    "CPR001",
    on=GenerationEvent,
    zh="向公众输出与受保护作品实质性相似的内容",
    severity="high",
    basis=(law.ULTRAMAN_GUANGZHOU, law.ULTRAMAN_HANGZHOU),
    when={"public_cn": {True}, "work_hits": {True}},
    cases=(
        fails("exactly the policy's similarity", work_hits=(_SIMILAR,)),
        fails("the second of two", work_hits=(_UNLIKE, _SIMILAR)),
        fails("the first of two", work_hits=(_SIMILAR, _UNLIKE)),
        fails("one not measured beside it", work_hits=(_UNMEASURED, _SIMILAR)),
        fails("a stricter policy", work_hits=(_UNLIKE,), given={"similarity_percent": 89}),
        passes("one percent below", work_hits=(_UNLIKE,)),
        passes("one percent below, action unknown", work_hits=(_UNLIKE,), moderation=None),
        passes("held back by the filter", work_hits=(_SIMILAR,), moderation=Moderation(action="blocked")),
        passes("replaced by another output", work_hits=(_SIMILAR,), moderation=Moderation(action="replaced")),
        passes("not measured, but held back", work_hits=(_UNMEASURED,), moderation=Moderation(action="blocked")),
        passes("not measured, but replaced", work_hits=(_UNMEASURED,), moderation=Moderation(action="replaced")),
        skips("resembles no work"),
        skips("not offered to the public", work_hits=(_SIMILAR,), given={"svc": {"public_cn": False}}),
        skips("before the first judgment", at="2024-02-07T23:59:59+08:00", work_hits=(_SIMILAR,)),
        unclear("not compared with works", work_hits=None),
        unclear("public or not is unknown", work_hits=(_SIMILAR,), given={"svc": {"public_cn": None}}),
        unclear("not measured", work_hits=(_UNMEASURED,)),
        unclear("not measured, one unlike beside it", work_hits=(_UNLIKE, _UNMEASURED)),
        unclear("moderation unknown", work_hits=(_SIMILAR,), moderation=None),
        unclear("action unknown", work_hits=(_SIMILAR,), moderation=Moderation()),
    ),
)
def output_resembles_work(event: GenerationEvent, facts: Facts) -> Result:
    """A public service delivered an output that is too similar to a protected work.

    Why: courts held services liable for pictures of well-known characters. No court set a number; the policy says
    from which similarity an output counts, by the deployer's own measure. An output that was blocked or replaced did
    no harm.

    False positives: the service holds a licence for the work. Leave licensed works out of `work_hits`.

    When it fires:
    1. Read `similarity_percent` in the evidence; find the output by the sample violation's `source` and `id`.
    2. Have a person compare the output with the work; take it down if it is similar.
    3. Put the names of the work into the keyword filter; block outputs from the policy's similarity on.
    """
    limit = facts.policy.similarity_percent
    similar = None
    unmeasured = False
    for hit in event.work_hits or ():
        if hit.similarity_percent is None:
            unmeasured = True
        elif hit.similarity_percent >= limit:
            similar = hit
            break
    if similar is None and not unmeasured:
        return PASS
    action = event.moderation.action if event.moderation is not None else None
    if action in {"blocked", "replaced"}:
        return PASS
    if similar is None:
        return inconclusive("work_hits.similarity_percent")
    if action is None:
        return inconclusive("moderation.action")
    return fail(
        "the output is too similar to a protected work",
        similarity_percent=similar.similarity_percent,
        limit_percent=limit,
        work=similar.work_id,
    )
