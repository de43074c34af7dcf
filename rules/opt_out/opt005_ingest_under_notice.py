"""OPT005."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, Notice

_ISBN = "isbn:9787000000001"
_HASH = "ab" * 32
_PRINT = "iscc:KACYPXW445FTYNJ3"
_GRACE_MS = 72 * 3_600_000
_LONG_AGO_MS = 1_577_808_000_000  # 2020-01-01
_WORK = Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS, reference="notice-1")
_HOLDER = Notice("holder", "holder-1", BASE_AT_MS - _GRACE_MS)
_CONTENT = Notice("content", _HASH, BASE_AT_MS - _GRACE_MS)
_FINGERPRINT = Notice("fingerprint", _PRINT, BASE_AT_MS - _GRACE_MS)


@rule(
    "OPT005",
    on=IngestEvent,
    zh="权利人通知后仍收录被通知的作品或内容",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_15, law.CIVIL_CODE_NOTICE),
    needs=("notices",),
    cases=(
        fails("work, exactly the grace time ago", work_id=_ISBN, given={"notices": (_WORK,)}),
        fails("holder", holder="holder-1", given={"notices": (_HOLDER,)}),
        fails("content", content_sha256=_HASH, given={"notices": (_CONTENT,)}),
        fails("fingerprint", fingerprint=_PRINT, given={"notices": (_FINGERPRINT,)}),
        fails(
            "the work only, all four known",
            work_id=_ISBN,
            holder="holder-2",
            content_sha256="cd" * 32,
            fingerprint="iscc:OTHER",
            given={"notices": (_WORK,)},
        ),
        fails(
            "the holder only, all four known",
            work_id="isbn:9787000000002",
            holder="holder-1",
            content_sha256="cd" * 32,
            fingerprint="iscc:OTHER",
            given={"notices": (_HOLDER,)},
        ),
        fails(
            "the content only, all four known",
            work_id="isbn:9787000000002",
            holder="holder-2",
            content_sha256=_HASH,
            fingerprint="iscc:OTHER",
            given={"notices": (_CONTENT,)},
        ),
        fails(
            "the fingerprint only, all four known",
            work_id="isbn:9787000000002",
            holder="holder-2",
            content_sha256="cd" * 32,
            fingerprint=_PRINT,
            given={"notices": (_FINGERPRINT,)},
        ),
        fails("no time of grace", work_id=_ISBN, given={"notices": (_WORK,), "notice_grace_hours": 0}),
        passes(
            "a millisecond within the grace time",
            work_id=_ISBN,
            given={"notices": (Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS + 1),)},
        ),
        passes(
            "the notice was found without ground",
            work_id=_ISBN,
            given={"notices": (Notice("work", _ISBN, BASE_AT_MS - _GRACE_MS, BASE_AT_MS),)},
        ),
        passes("another work", work_id="isbn:9787000000002", given={"notices": (_WORK,)}),
        passes("a holder of the name of a work", holder=_ISBN, given={"notices": (_WORK,)}),
        passes("only the content is known", content_sha256=_HASH, given={"notices": (_WORK,)}),
        passes("only the fingerprint is known", fingerprint=_PRINT, given={"notices": (_WORK,)}),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            work_id=_ISBN,
            given={"notices": (Notice("work", _ISBN, _LONG_AGO_MS),)},
        ),
        skips(
            "no protected work in it and nothing to look up",
            work_id=None,
            holder=None,
            content_sha256=None,
            fingerprint=None,
            protected_work=False,
        ),
        unclear(
            "nothing to look up",
            work_id=None,
            holder=None,
            content_sha256=None,
            fingerprint=None,
            protected_work=None,
        ),
        unclear(
            "a protected work without a name",
            work_id="",
            holder="",
            content_sha256=None,
            fingerprint="",
            protected_work=True,
        ),
        unclear("notices not connected", work_id=_ISBN, given={"notices": None}),
    ),
)
def ingest_under_notice(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken in although a rights holder's notice covers it.

    Why: who is told of an infringement must act promptly, so what a notice names must not be taken in again. The law
    gives no number; the policy's grace time counts. Looked up are those of work, rights holder, content hash and
    fingerprint that the event holds; one of them is enough for a pass. A record with none of the four cannot be
    decided, unless it is known to hold no protected work.

    False positives: a licence was agreed and the notice withdrawn. Set `resolved_at_ms` in the record of the notice.

    When it fires:
    1. Read `matched` and `received_at_ms` in the evidence; find the notice in the register by them.
       `notice` is the hash of its number.
    2. Stop that source or work in the pipeline; check how the pipeline reads the notices before it takes a record.
    3. Remove the records from the next dataset version and answer the rights holder.
    """
    if not (event.work_id or event.holder or event.content_sha256 or event.fingerprint):
        if event.protected_work is False:
            return NOT_APPLICABLE
        return inconclusive("work_id, holder, content_sha256 or fingerprint")
    notice = None
    if event.work_id:
        notice = facts.notice("work", event.work_id)
    if notice is None and event.holder:
        notice = facts.notice("holder", event.holder)
    if notice is None and event.content_sha256:
        notice = facts.notice("content", event.content_sha256)
    if notice is None and event.fingerprint:
        notice = facts.notice("fingerprint", event.fingerprint)
    if notice is None:
        return PASS
    return fail(
        "an open notice of a rights holder covers the record",
        matched=Code(notice.scheme),
        received_at_ms=notice.received_at_ms,
        notice=notice.reference,
    )
