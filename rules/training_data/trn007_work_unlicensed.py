"""TRN007."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts


@rule(
    "TRN007",
    on=IngestEvent,
    zh="未经许可使用他人作品训练",
    severity="high",
    basis=(law.INTERIM_MEASURES_ART_7, law.TC260_003_5_2),
    when={"protected_work": {True}},
    cases=(
        fails("no licence", protected_work=True, work_licensed=False),
        fails("no licence, work named", protected_work=True, work_licensed=False, work_id="isbn:9787000000000"),
        passes("licensed", protected_work=True, work_licensed=True),
        skips("no protected work", work_licensed=False),
        skips("before the law", at="2023-08-14T23:59:59+08:00", protected_work=True, work_licensed=False),
        unclear("protected or not unknown", protected_work=None, work_licensed=False),
        unclear("licence not stated", protected_work=True),
    ),
)
def work_unlicensed(event: IngestEvent, facts: Facts) -> Result:
    """A protected work was taken into a training corpus without a licence.

    Why: training must not infringe the intellectual property of others, and Chinese law has no exception for text and
    data mining. The notices of rights holders are another rule's matter.

    False positives: works in the public domain that are marked as protected. Correct the mark at the producer.

    When it fires:
    1. Read `work` and `source` in the evidence (hashes of `work_id` and `source_id`); group the failures by source.
    2. Obtain a licence that covers training, or take the works out of the next dataset version.
    3. Tell the officer for intellectual property which dataset versions hold them.
    """
    licensed = event.work_licensed
    if licensed is None:
        return inconclusive("work_licensed")
    if not licensed:
        return fail(
            "the work is not licensed for training", work_licensed=False, work=event.work_id, source=event.source_id
        )
    return PASS
