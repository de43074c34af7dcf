"""OPT011."""

from hegui.rules import law
from hegui.rules.cases import BASE_AT_MS
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts, OptOut
from hegui.rules.iscc import content_units, written

_CODE = "iscc:EAA4LN74R3C3GSL5"
_SEVEN_BITS_OFF, _EIGHT_BITS_OFF = "iscc:EAA4LNP6RTCLESD4", "iscc:EAA4PNP6RTCLESD4"
_COMPOSITE = "ISCC:KAA4LN74R3C3GSL5GEZDGNBVGY3TQYLCMNSGKZTHNA"
_PICTURE = "iscc:EEA4LN74R3C3GSL5"
_ONLY_BYTES = "iscc:GAATCMRTGQ2TMNZY"
_NO = OptOut("work", _CODE, "deny", BASE_AT_MS - 1000)
_REFUSED = {"optouts": (_NO,)}


@rule(
    "OPT011",
    on=IngestEvent,
    zh="收录了与登记拒绝训练的作品近似的内容",
    severity="medium",
    stage="sandbox",
    basis=(law.TC260_003_5_1, law.INTERIM_MEASURES_ART_7),
    when={"source_type": {"crawl", "open"}, "fingerprint": {True}},
    needs=("optouts",),
    cases=(
        fails("seven bits off", source_type="open", fingerprint=_SEVEN_BITS_OFF, protected_work=True, given=_REFUSED),
        fails("as the work's id", source_type="crawl", work_id=_SEVEN_BITS_OFF, given=_REFUSED),
        fails("the same text in other bytes", source_type="open", fingerprint=_COMPOSITE, given=_REFUSED),
        fails(
            "the work's id is another number",
            source_type="open",
            work_id="isbn:9787000000001",
            fingerprint=_SEVEN_BITS_OFF,
            given=_REFUSED,
        ),
        fails(
            "an ISCC in two places, of which one is near",
            source_type="open",
            work_id=_PICTURE,
            fingerprint=_SEVEN_BITS_OFF,
            given=_REFUSED,
        ),
        fails(
            "a near work is allowed, another one refused",
            source_type="open",
            fingerprint=_CODE,
            given={"optouts": (OptOut("work", _CODE, "allow", 1), OptOut("work", _SEVEN_BITS_OFF, "deny", 1))},
        ),
        fails(
            "eight bits off, and the policy says eight",
            source_type="open",
            fingerprint=_EIGHT_BITS_OFF,
            given={**_REFUSED, "iscc_max_distance_bits": 8},
        ),
        passes("eight bits off", source_type="open", fingerprint=_EIGHT_BITS_OFF, given=_REFUSED),
        passes("a picture with the bits of a text", source_type="open", fingerprint=_PICTURE, given=_REFUSED),
        passes(
            "registered later",
            source_type="open",
            fingerprint=_CODE,
            given={"optouts": (OptOut("work", _CODE, "deny", BASE_AT_MS + 1),)},
        ),
        passes(
            "a near work is allowed",
            source_type="open",
            fingerprint=_CODE,
            given={"optouts": (OptOut("work", _CODE, "allow", BASE_AT_MS - 1),)},
        ),
        passes("nothing registered", source_type="open", fingerprint=_CODE),
        skips("no protected work in it and no code", source_type="open", fingerprint=None, given=_REFUSED),
        skips("licensed by contract", fingerprint=_CODE, given=_REFUSED),
        skips(
            "before the law",
            at="2023-08-14T23:59:59+08:00",
            source_type="open",
            fingerprint=_CODE,
            given={"optouts": (OptOut("work", _CODE, "deny", 1),)},
        ),
        unclear("no code", source_type="open", protected_work=None, given=_REFUSED),
        unclear("another kind of fingerprint", source_type="open", fingerprint="pdq:00", protected_work=True),
        unclear("no code of the content", source_type="open", fingerprint=_ONLY_BYTES, given=_REFUSED),
        unclear("no ISCC after all", source_type="open", fingerprint="iscc:1", given=_REFUSED),
        unclear("registry not connected", source_type="open", fingerprint=_CODE, given={"optouts": None}),
    ),
)
def near_refused_work_ingested(event: IngestEvent, facts: Facts) -> Result:
    """A record was taken in that is nearly the same as a work registered as refused.

    Why: a refusal is of the work, not of one copy of its bytes; a changed line or another size of a picture would slip
    through OPT003. How near is near no law says: this compares the ISCC Content-Codes (ISO 24138), a technical proxy, and
    is counted without waking anybody. Not more than `iscc_max_distance_bits` of the policy may differ, of 64.

    False positives: short texts, forms, blank or plain pictures, and different works with much quoted text in common.
    A licence that covers the content: state the source as licensed.

    When it fires:
    1. Read `work` and `distance_bits` in the evidence; `hegui optouts lookup` shows what was said of that work.
    2. Compare record and work. When they are the same, treat it as OPT003; when not, lower `iscc_max_distance_bits`.
    """
    units = content_units(event.fingerprint, event.work_id)
    if not units:
        return inconclusive("an ISCC with a Content-Code of 64 bits or more")
    found = facts.near_refusal(units)
    if found is None:
        return PASS
    distance, refusal = found
    return fail(
        "a record is nearly the same as a work registered as refused",
        work=Code(written(refusal.subject)),
        distance_bits=distance,
        refused_at_ms=refusal.observed_at_ms,
    )
