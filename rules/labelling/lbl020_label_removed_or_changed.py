"""LBL020."""

from hegui.rules import law
from hegui.rules.cases import GOOD_LABEL
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent, ImplicitLabel, LabelSite, Propagation
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import Parsed, labels, parse

_SPREADS = {"svc": {"role": "propagator"}}
_CODE = "001191440300708461136T1XGW3"
_RECEIVED = Propagation(metadata_label_found=True, received_label=GOOD_LABEL)


def _received(text: str | None) -> Propagation:
    return Propagation(metadata_label_found=True, received_label=text)


def _sites(*values: str) -> ImplicitLabel:
    return ImplicitLabel(container=True, sites=tuple(LabelSite("xmp", value) for value in values))


def _changed(label: Parsed, received: Parsed) -> str:
    """Return the first field that is another than in the received label, or an empty text."""
    if label.label != received.label:
        return "Label"
    if label.producer != received.producer:
        return "ContentProducer"
    return "ProduceID" if label.produce_id != received.produce_id else ""


@rule(
    "LBL020",
    on=GenerationEvent,
    zh="传播过程中删除或篡改隐式标识",
    severity="critical",
    basis=(law.LABELLING_MEASURES_ART_10, law.DEEP_SYNTHESIS_ART_18),
    when={"public_cn": {True}, "role": {"propagator"}},
    cases=(
        fails("removed", given=_SPREADS, propagation=_RECEIVED, implicit_label=_sites()),
        fails(
            "shown on screen, removed",
            given=_SPREADS,
            propagation=_RECEIVED,
            delivery="inline",
            implicit_label=_sites(),
        ),
        fails(
            "another value",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(GOOD_LABEL.replace('"Label":"1"', '"Label":"3"')),
        ),
        fails(
            "another maker",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(GOOD_LABEL.replace(_CODE, "platform")),
        ),
        fails(
            "another number",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(GOOD_LABEL.replace("4c8a5c1e", "4c8a5c1f")),
        ),
        fails("cut off", given=_SPREADS, propagation=_RECEIVED, implicit_label=_sites(GOOD_LABEL[:40])),
        fails(
            "another label beside the received one",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(GOOD_LABEL, GOOD_LABEL.replace("4c8a5c1e", "4c8a5c1f")),
        ),
        fails(
            "under the older provisions",
            at="2023-06-01T00:00:00+08:00",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(),
        ),
        passes("kept", given=_SPREADS, propagation=_RECEIVED),
        passes("kept, though found unknown", given=_SPREADS, propagation=Propagation(received_label=GOOD_LABEL)),
        passes(
            "kept, with the propagator added",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(
                GOOD_LABEL.replace('"ContentPropagator":""', '"ContentPropagator":"platform"').replace(
                    '"PropagateID":""', '"PropagateID":"p-1"'
                )
            ),
        ),
        passes(
            "bare as received, wrapped as sent",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites('{"AIGC":' + GOOD_LABEL + "}"),
        ),
        skips(
            "received without a label",
            given=_SPREADS,
            propagation=Propagation(metadata_label_found=False),
            implicit_label=_sites(),
        ),
        skips(
            "no metadata container",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=ImplicitLabel(container=False, sites=()),
        ),
        skips("makes content itself", propagation=_RECEIVED, implicit_label=_sites()),
        skips(
            "not offered to the public",
            given={"svc": {"role": "propagator", "public_cn": False}},
            propagation=_RECEIVED,
            implicit_label=_sites(),
        ),
        skips(
            "before the law",
            at="2023-01-09T23:59:59+08:00",
            given=_SPREADS,
            propagation=_RECEIVED,
            implicit_label=_sites(),
        ),
        unclear("nothing said of what was received", given=_SPREADS, propagation=None, implicit_label=_sites()),
        unclear("received label unknown", given=_SPREADS, propagation=_received(None), implicit_label=_sites()),
        unclear("whether a label was received is unknown", given=_SPREADS, propagation=Propagation()),
        unclear(
            "received label cut off", given=_SPREADS, propagation=_received(GOOD_LABEL[:40]), implicit_label=_sites()
        ),
        unclear(
            "received label has no value", given=_SPREADS, propagation=_received(GOOD_LABEL.replace("Label", "label"))
        ),
        unclear(
            "received label has no maker",
            given=_SPREADS,
            propagation=_received(GOOD_LABEL.replace("ContentProducer", "Producer")),
        ),
        unclear(
            "received label has no number",
            given=_SPREADS,
            propagation=_received(GOOD_LABEL.replace("ProduceID", "ID")),
        ),
        unclear("nothing said of the file", given=_SPREADS, propagation=_RECEIVED, implicit_label=None),
        unclear("sites unknown", given=_SPREADS, propagation=_RECEIVED, implicit_label=ImplicitLabel(container=True)),
        unclear("container unknown", given=_SPREADS, propagation=_RECEIVED, implicit_label=ImplicitLabel(sites=())),
        unclear(
            "public or not is unknown",
            given={"svc": {"role": "propagator", "public_cn": None}},
            propagation=_RECEIVED,
            implicit_label=_sites(),
        ),
        unclear(
            "kind of service unknown",
            service="nobody",
            public_cn=True,
            propagation=_RECEIVED,
            implicit_label=_sites(),
        ),
    ),
)
def label_removed_or_changed(event: GenerationEvent, facts: Facts) -> Result:
    """The metadata label of received content is gone or altered when the platform sends it on.

    Why: nobody may maliciously remove, alter, forge or hide a label. Whoever spreads content keeps value, maker and number
    of the label as received, and adds only its own fields. This rule sees that the label changed, not why.

    False positives: a format without a metadata container is not judged; say so by `implicit_label.container`.

    When it fires:
    1. Read `changed` in the evidence: `removed`, or the field that is another than in the received label.
    2. Find the step that touched the file: transcoding, thumbnails and downloads often drop metadata.
    3. Stop that step or stamp the received label again; tell the compliance officer how many files went out.
    """
    propagation = event.propagation
    if propagation is None:
        return inconclusive("propagation")
    if propagation.received_label is None:
        if propagation.metadata_label_found is False:
            return NOT_APPLICABLE
        return inconclusive("propagation.received_label")
    received = parse(propagation.received_label)
    if received.label is None or received.producer is None or received.produce_id is None:
        return inconclusive("a readable propagation.received_label")
    implicit = event.implicit_label
    if implicit is None:
        return inconclusive("implicit_label")
    found = labels(implicit)
    if not found:
        if implicit.container is False:
            return NOT_APPLICABLE
        if implicit.container is None:
            return inconclusive("implicit_label.container")
        if found is None:
            return inconclusive("implicit_label.sites")
        return fail("the label of the received file was removed", changed=Code("removed"))
    for label in found:
        changed = _changed(label, received)
        if changed:
            return fail("the label of the received file was changed", changed=Code(changed))
    return PASS
