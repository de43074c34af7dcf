"""LOC008."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts

_UNAPPROVED = Export(entity="company", destination_country="SG", recipient_kind="authority", approval_document="")


@rule(
    "LOC008",
    on=GenerationEvent,
    zh="未经主管机关批准向外国司法或执法机构提供数据",
    severity="critical",
    basis=(law.DSL_ART_36, law.PIPL_ART_41),
    when={"exported": {True}},
    waivable=False,
    cases=(
        fails("no approval", exported=True, export=_UNAPPROVED),
        fails(
            "country unknown",
            exported=True,
            export=Export(entity="company", recipient_kind="authority", approval_document=""),
        ),
        passes(
            "approved",
            exported=True,
            export=Export(entity="company", recipient_kind="authority", approval_document="approval-1"),
        ),
        passes(
            "to a company",
            exported=True,
            export=Export(entity="company", recipient_kind="company", approval_document=""),
        ),
        passes("to somebody else", exported=True, export=Export(entity="company", recipient_kind="other")),
        skips("nothing left the mainland", export=_UNAPPROVED),
        skips("before the law", at="2021-08-31T23:59:59+08:00", exported=True, export=_UNAPPROVED),
        unclear("approval not stated", exported=True, export=Export(entity="company", recipient_kind="authority")),
        unclear("recipient unknown", exported=True, export=Export(entity="company", approval_document="")),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_UNAPPROVED),
    ),
)
def provided_to_foreign_authority(event: GenerationEvent, facts: Facts) -> Result:
    """Data was given to a foreign court or law-enforcement body without approval.

    Why: data stored in the mainland may be given to foreign judicial or law-enforcement bodies only with the approval
    of the competent authority of the PRC. An empty reference says "there is none".

    When it fires:
    1. Stop the transfer at once; give that recipient nothing more.
    2. Read `destination` in the evidence; send the foreign body's request to the legal department.
    3. Write down what was given, when and by whom; the legal department tells the competent authority.
    """
    export = event.export
    if export is None or export.recipient_kind is None:
        return inconclusive("export.recipient_kind")
    if export.recipient_kind != "authority" or export.approval_document:
        return PASS
    if export.approval_document is None:
        return inconclusive("export.approval_document")
    return fail(
        "a foreign authority got data without approval",
        destination=Code(export.destination_country) if export.destination_country else None,
    )
