"""LOC007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_UNASSESSED = Export(entity="company", destination_country="SG", impact_assessment_document="")


@rule(
    "LOC007",
    on=GenerationEvent,
    zh="向境外提供个人信息前未进行个人信息保护影响评估",
    severity="high",
    basis=(law.PIPL_ART_55,),
    when={"exported": {True}},
    cases=(
        fails("no assessment", exported=True, export=_UNASSESSED),
        fails("country unknown", exported=True, export=Export(entity="company", impact_assessment_document="")),
        passes("assessed", exported=True, export=Export(entity="company", impact_assessment_document="pipia-1")),
        skips("nothing left the mainland", export=_UNASSESSED),
        skips("before the law", at="2021-10-31T23:59:59+08:00", exported=True, export=_UNASSESSED),
        unclear("assessment not stated", exported=True, export=Export(entity="company")),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_UNASSESSED),
    ),
)
def export_without_impact_assessment(event: GenerationEvent, facts: Facts) -> Result:
    """Personal information went abroad without an impact assessment.

    Why: whoever provides personal information abroad first assesses the impact on its protection and keeps the report.
    Exempt exports need the assessment too. An empty reference says "there is none".

    False positives: only important data went abroad and no personal information. Waive the rule for that service.

    When it fires:
    1. Read `destination` in the evidence; ask the data protection officer for the assessment of that export.
    2. If there is one, have the service send its reference in `export.impact_assessment_document`.
    3. If there is none, stop the export until the assessment is done.
    """
    export = event.export
    if export is None or export.impact_assessment_document is None:
        return inconclusive("export.impact_assessment_document")
    if export.impact_assessment_document:
        return PASS
    return fail(
        "no impact assessment of the export",
        destination=Code(export.destination_country) if export.destination_country else None,
    )
