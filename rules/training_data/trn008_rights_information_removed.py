"""TRN008."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record


@rule(
    "TRN008",
    on=IngestEvent,
    zh="训练数据删除权利管理信息",
    severity="high",
    stage="sandbox",
    basis=(law.COPYRIGHT_ART_51,),
    screen=sound_record,
    cases=(
        fails("stripped", rights_information_removed=True),
        fails(
            "stripped from a licensed work", rights_information_removed=True, protected_work=True, work_licensed=True
        ),
        passes("left as it was"),
        skips("before the law", at="2021-05-31T23:59:59+08:00", rights_information_removed=True),
        unclear("not stated", rights_information_removed=None),
    ),
)
def rights_information_removed(event: IngestEvent, facts: Facts) -> Result:
    """Rights-management information was stripped from a record on its way into a training corpus.

    Why: nobody may remove or change the electronic information that names the work, its author and the terms of use. A
    licence to train does not allow it.

    False positives: a format conversion keeps the information beside the record, as in the dataset's catalogue. Record
    a waiver for that pipeline.

    When it fires:
    1. Read `source` in the evidence (the hash of `source_id`); find the step of the pipeline that rewrites the files.
    2. Keep metadata, author lines and watermarks in that step, or store them with the record.
    3. Take the stripped records in again from the original; watch the failure rate of this rule for that pipeline.
    """
    removed = event.rights_information_removed
    if removed is None:
        return inconclusive("rights_information_removed")
    if removed:
        return fail(
            "rights-management information was stripped", rights_information_removed=True, source=event.source_id
        )
    return PASS
