"""TRN013."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.screens import sound_record


@rule(
    "TRN013",
    on=IngestEvent,
    zh="重要数据或核心数据进入训练数据",
    severity="high",
    stage="sandbox",
    basis=(law.DSL_ART_21,),
    screen=sound_record,
    cases=(
        fails("important data", data_class="important"),
        fails("core data", data_class="core"),
        passes("general data"),
        skips("before the law", at="2021-08-31T23:59:59+08:00", data_class="core"),
        unclear("class unknown", data_class="unknown"),
        unclear("class not stated", data_class=None),
    ),
)
def important_data_ingested(event: IngestEvent, facts: Facts) -> Result:
    """Important or core data was taken into a training corpus.

    Why: data that an authority has notified or published as important or core is under special protection, and a
    trained model can give it away. Data that nobody has so named need not be treated as such.

    False positives: the processing of that data was approved inside the company and reported. Record a waiver for the
    pipeline.

    When it fires:
    1. Read `data_class` and `source` (the hash of `source_id`) in the evidence; stop the ingest from that source.
    2. Ask the officer for data security whether the class is right and whether this use was assessed.
    3. If not, take the records out of every dataset version and note where copies lie.
    """
    kind = event.data_class
    if kind == "general":
        return PASS
    if kind is None or kind == "unknown":
        return inconclusive("data_class")
    return fail("important or core data was taken in", data_class=Code(kind), source=event.source_id)
