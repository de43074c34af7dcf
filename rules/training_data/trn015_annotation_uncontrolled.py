"""TRN015."""

from typing import Any

from hegui.rules import law
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Annotation, IngestEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def _annotation(**changes: Any) -> Annotation:
    return Annotation(**{"rules_version": "1", "annotators_trained": True, "review_reference": "r", **changes})


@rule(
    "TRN015",
    on=IngestEvent,
    zh="数据标注缺少标注规则、人员培训或抽样复核",
    severity="low",
    basis=(law.INTERIM_MEASURES_ART_8, law.GB_45674_ANNOTATION),
    when={"annotation": {True}},
    cases=(
        fails("no rules", annotation=_annotation(rules_version="")),
        fails("annotators not trained", annotation=_annotation(annotators_trained=False)),
        fails("no review", annotation=_annotation(review_reference="")),
        fails(
            "nothing at all",
            annotation=Annotation(rules_version="", annotators_trained=False, review_reference=""),
        ),
        fails("one lack is enough", annotation=Annotation(review_reference="")),
        passes("rules, training and review", annotation=_annotation()),
        skips("not annotated"),
        skips("before the law", at="2023-08-14T23:59:59+08:00", annotation=_annotation(rules_version="")),
        unclear("rules not stated", annotation=_annotation(rules_version=None)),
        unclear("training not stated", annotation=_annotation(annotators_trained=None)),
        unclear("review not stated", annotation=_annotation(review_reference=None)),
        unclear("annotated, nothing stated", annotation=Annotation()),
    ),
)
def annotation_uncontrolled(event: IngestEvent, facts: Facts) -> Result:
    """A record was annotated without annotation rules, trained annotators or a review by sample.

    Why: a provider that annotates data must set clear rules, train its annotators and check samples of their work. A
    record without annotation is outside this rule.

    When it fires:
    1. Read `lacks` in the evidence: what was missing; group the failures by `dataset` (a hash).
    2. Write the rules, train the annotators or review a sample, and record version and reference in the pipeline.
    3. Annotate the batches again that the review does not accept.
    """
    annotation = event.annotation
    assert annotation is not None  # the guard
    if annotation.rules_version and annotation.annotators_trained and annotation.review_reference:
        return PASS
    parts = (
        ("rules_version", annotation.rules_version),
        ("annotators_trained", annotation.annotators_trained),
        ("review_reference", annotation.review_reference),
    )
    lacks = [name for name, value in parts if value is not None and not value]
    if lacks:
        return fail("the annotation lacks a control", lacks=Code("+".join(lacks)), dataset=event.dataset)
    return inconclusive(*(f"annotation.{name}" for name, value in parts if not value))
