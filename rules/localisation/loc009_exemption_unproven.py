"""LOC009."""

from hegui.rules import law
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Exemption, Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _relies(exemption: Exemption | None, document: str | None) -> Export:
    return Export(entity="company", exemption=exemption, exemption_document=document)


def _zone(document: str | None, zone: str | None, version: str | None) -> Export:
    return Export(
        entity="company", exemption="art_6", exemption_document=document, free_trade_zone=zone, list_version=version
    )


@rule(
    "LOC009",
    on=GenerationEvent,
    zh="援引数据出境豁免但缺少证明材料",
    severity="high",
    basis=(law.CROSS_BORDER_EXEMPTIONS,),
    when={"exported": {True}},
    cases=(
        fails("contract without its number", exported=True, export=_relies("art_5_1", "")),
        fails("zone without registration", exported=True, export=_zone("", "shanghai-lingang", "2025")),
        fails("registered in no zone", exported=True, export=_zone("registration-1", "", "2025")),
        fails("zone without list", exported=True, export=_zone("registration-1", "shanghai-lingang", "")),
        fails("one piece missing, one not stated", exported=True, export=_zone(None, "shanghai-lingang", "")),
        passes("contract", exported=True, export=_relies("art_5_1", "contract-1")),
        passes(
            "zone with registration and list", exported=True, export=_zone("registration-1", "shanghai-lingang", "2025")
        ),
        skips("no exemption relied on", exported=True, export=_relies(None, "")),
        skips("nothing left the mainland", export=_relies("art_5_1", "")),
        skips("before the law", at="2024-03-21T23:59:59+08:00", exported=True, export=_relies("art_5_1", "")),
        unclear("document not stated", exported=True, export=_relies("art_5_3", None)),
        unclear("zone not stated", exported=True, export=_zone("registration-1", None, "2025")),
        unclear("list not stated", exported=True, export=_zone("registration-1", "shanghai-lingang", None)),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_relies("art_5_1", "")),
    ),
)
def exemption_unproven(event: GenerationEvent, facts: Facts) -> Result:
    """An export relies on an exemption that no document proves.

    Why: an exemption spares assessment, contract and certificate only for whoever can show its conditions: the
    contract, the collective agreement, the emergency, the registration in a free trade zone with the version of its
    list. An empty text says "there is none".

    When it fires:
    1. Read `exemption` and `lacks` in the evidence; ask the owner of that export for the piece.
    2. If it exists, have the service send its reference; if not, stop the export.
    3. Without the exemption the export needs a mechanism: see LOC002 and tell the data protection officer.
    """
    export = event.export
    if export is None:
        return inconclusive("export")
    if export.exemption is None:
        return NOT_APPLICABLE
    proof = {"exemption_document": export.exemption_document}
    if export.exemption == "art_6":
        proof["free_trade_zone"] = export.free_trade_zone
        proof["list_version"] = export.list_version
    for name, value in proof.items():
        if value == "":
            return fail("the exemption is not proven", exemption=Code(export.exemption), lacks=Code(name))
    for name, value in proof.items():
        if value is None:
            return inconclusive("export." + name)
    return PASS
