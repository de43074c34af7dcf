"""LOC005."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_UNTOLD = Export(entity="company", destination_country="SG", notice_given=False)


@rule(
    "LOC005",
    on=GenerationEvent,
    zh="向境外提供个人信息前未告知个人",
    severity="high",
    basis=(law.PIPL_ART_39,),
    when={"exported": {True}},
    cases=(
        fails("nobody was told", exported=True, export=_UNTOLD),
        fails("country unknown", exported=True, export=Export(entity="company", notice_given=False)),
        passes("told", exported=True, export=Export(entity="company", notice_given=True)),
        skips("nothing left the mainland", export=_UNTOLD),
        skips("before the law", at="2021-10-31T23:59:59+08:00", exported=True, export=_UNTOLD),
        unclear("notice not stated", exported=True, export=Export(entity="company")),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_UNTOLD),
    ),
)
def export_without_notice(event: GenerationEvent, facts: Facts) -> Result:
    """Personal information went abroad and the person was not told.

    Why: before an export the person is told the recipient's name and contact, the purpose, the method, the kinds of
    information and how to exercise rights there. An exemption from contract and assessment does not lift this duty.

    False positives: only important data went abroad and no personal information. Waive the rule for that service.

    When it fires:
    1. Read `destination` in the evidence; find the step of the service that sends data to that country.
    2. Stop that export, or show the notice in the service before the data leaves.
    3. Tell the data protection officer since when people were not told.
    """
    export = event.export
    if export is None or export.notice_given is None:
        return inconclusive("export.notice_given")
    if export.notice_given:
        return PASS
    return fail(
        "the person was not told of the export",
        destination=Code(export.destination_country) if export.destination_country else None,
    )
