"""OPT012."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, Notice
from hegui.rules.iscc import content_units, written

_CODE = "iscc:EAA4LN74R3C3GSL5"
_SEVEN_BITS_OFF, _EIGHT_BITS_OFF = "iscc:EAA4LNP6RTCLESD4", "iscc:EAA4PNP6RTCLESD4"
_ONLY_BYTES = "iscc:GAATCMRTGQ2TMNZY"
_BEFORE_MS = BASE_AT_MS - 72 * 3_600_000
_WORK = Notice("work", "ISCC:EAA4LN74R3C3GSL5", _BEFORE_MS, reference="notice-1")
_PRINT = Notice("fingerprint", _CODE, _BEFORE_MS)


@rule(
    "OPT012",
    on=IngestEvent,
    zh="权利人通知后仍收录与被通知作品近似的内容",
    severity="medium",
    stage="sandbox",
    basis=(law.INTERIM_MEASURES_ART_15, law.CIVIL_CODE_NOTICE),
    since=law.INTERIM_MEASURES_ART_15,
    when={"fingerprint": {True}},
    needs=("notices",),
    cases=(
        fails("seven bits off", fingerprint=_SEVEN_BITS_OFF, protected_work=True, given={"notices": (_PRINT,)}),
        fails("the notice names a work", work_id=_SEVEN_BITS_OFF, given={"notices": (_WORK,)}),
        fails(
            "eight bits off, and the policy says eight",
            fingerprint=_EIGHT_BITS_OFF,
            given={"notices": (_PRINT,), "iscc_max_distance_bits": 8},
        ),
        passes("eight bits off", fingerprint=_EIGHT_BITS_OFF, given={"notices": (_PRINT,)}),
        passes(
            "a millisecond within the grace time",
            fingerprint=_SEVEN_BITS_OFF,
            given={"notices": (Notice("fingerprint", _CODE, _BEFORE_MS + 1),)},
        ),
        passes(
            "the notice was withdrawn",
            fingerprint=_SEVEN_BITS_OFF,
            given={"notices": (Notice("fingerprint", _CODE, _BEFORE_MS, BASE_AT_MS),)},
        ),
        passes("no notices", fingerprint=_CODE),
        skips("no protected work in it and no code", fingerprint=None, given={"notices": (_PRINT,)}),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            fingerprint=_CODE,
            given={"notices": (Notice("fingerprint", _CODE, 1_577_808_000_000),)},
        ),
        unclear("no code", protected_work=None, given={"notices": (_PRINT,)}),
        unclear("no code of the content", fingerprint=_ONLY_BYTES, given={"notices": (_PRINT,)}),
        unclear("notices not connected", fingerprint=_CODE, given={"notices": None}),
    ),
)
def near_noticed_work_ingested(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken in that is nearly the same as a work under a rights holder's notice.

    Why: who is told of an infringement must act promptly, and what differs in a line or in the size of a picture is
    still the work. How near is near no law says: this compares the ISCC Content-Codes (ISO 24138), a technical proxy, and
    is counted without waking anybody. Not more than `iscc_max_distance_bits` of the policy may differ, of 64.

    False positives: short texts, forms, blank or plain pictures, and different works with much quoted text in common.
    A licence that was agreed: set `resolved_at_ms` in the record of the notice.

    When it fires:
    1. Read `work`, `distance_bits` and `received_at_ms` in the evidence; find the notice in the register by them.
       `notice` is the hash of its number.
    2. Compare record and work. When they are the same, treat it as OPT005; when not, lower `iscc_max_distance_bits`.
    """
    units = content_units(event.fingerprint, event.work_id)
    if not units:
        return inconclusive("an ISCC with a Content-Code of 64 bits or more")
    found = facts.near_notice(units)
    if found is None:
        return PASS
    distance, notice = found
    return fail(
        "a record is nearly the same as a work under an open notice",
        work=Code(written(notice.subject)),
        distance_bits=distance,
        received_at_ms=notice.received_at_ms,
        notice=notice.reference,
    )
