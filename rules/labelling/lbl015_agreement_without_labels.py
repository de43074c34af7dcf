"""LBL015."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from hegui.rules import law
from hegui.rules.cases import BASE_AT
from hegui.rules.core import PASS, Result, Situation, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import UserAgreement

_NOW = datetime.fromisoformat(BASE_AT)
_SOON = _NOW + timedelta(milliseconds=1)
_BEGAN = datetime.fromisoformat("2026-01-01T00:00:00+08:00")
_SECOND = timedelta(seconds=1)


def _given(changed: datetime | None = _BEGAN, **changes: Any) -> dict[str, Any]:
    agreement = UserAgreement(version="2026-01", valid_from=_BEGAN, describes_labels=True)
    return {"svc": {"agreement": replace(agreement, **changes), "labels_changed": changed}}


@rule(
    "LBL015",
    on=GenerationEvent,
    of=Situation,
    zh="用户服务协议未说明标识方法和样式，或早于标识的最近变更",
    severity="medium",
    basis=(law.LABELLING_MEASURES_ART_8,),
    when={"public_cn": {True}},
    cases=(
        fails("describes no labels", given=_given(describes_labels=False)),
        fails("describes no labels, their change unknown", given=_given(None, describes_labels=False)),
        fails("a second older than the labels", given=_given(_BEGAN + _SECOND)),
        fails("older than the labels, content unknown", given=_given(_BEGAN + _SECOND, describes_labels=None)),
        fails("labels changed that moment", given=_given(_NOW)),
        passes("as old as the labels", given=_given()),
        passes("younger than the labels", given=_given(_BEGAN - _SECOND)),
        passes("began that moment", given=_given(valid_from=_NOW)),
        passes("began and changed that moment", given=_given(_NOW, valid_from=_NOW)),
        skips("not offered to the public", given={"svc": {"public_cn": False, "agreement": None}}),
        skips(
            "before the law",
            at="2025-08-31T23:59:59+08:00",
            given=_given(describes_labels=False, valid_from=_BEGAN.replace(year=2025)),
        ),
        unclear("no agreement in the policy", given={"svc": {"agreement": None}}),
        unclear("whether it describes labels is unknown", given=_given(describes_labels=None)),
        unclear("last change of the labels unknown", given=_given(None)),
        unclear("the agreement was not in force yet", given=_given(valid_from=_SOON, describes_labels=False)),
        unclear("the labels changed only later", given=_given(_SOON)),
        unclear("unknown service", service="nobody"),
        unclear("unknown service that says it is public", service="nobody", public_cn=True),
        unclear("public or not is unknown", given={"svc": {"public_cn": None}}),
    ),
)
def agreement_without_labels(situation: Situation, facts: Facts) -> Result:
    """The user agreement does not describe the labels, or is older than their last change.

    Why: the agreement states the methods and styles of labelling. One that is older than the last change of the labels
    describes labels that are no longer used.

    False positives: only the code of the label step changed and not what users see. Then correct `labels_changed`.

    When it fires:
    1. Compare `agreement` and `labels_changed` of that service in the policy with the published agreement.
    2. Publish an agreement that describes the labels of today, and enter its version and `valid_from` in the policy.
    """
    service = situation.service
    if service is None:
        return inconclusive("the service in the registry")
    agreement, changed = service.agreement, service.labels_changed
    if agreement is None:
        return inconclusive("agreement of the service in the policy")
    began_ms = round(agreement.valid_from.timestamp() * 1000)
    changed_ms = round(changed.timestamp() * 1000) if changed is not None else None
    if began_ms > facts.at_ms:
        return inconclusive("the agreement in force at that time")
    if agreement.describes_labels is False:
        return fail("the agreement does not describe the labels", agreement=Code(agreement.version))
    if changed_ms is not None and began_ms < changed_ms <= facts.at_ms:
        return fail(
            "the agreement is older than the last change of the labels",
            agreement=Code(agreement.version),
            labels_changed_ms=changed_ms,
        )
    if agreement.describes_labels is None:
        return inconclusive("agreement.describes_labels of the service in the policy")
    if changed_ms is None or changed_ms > facts.at_ms:
        return inconclusive("labels_changed of the service in the policy")
    return PASS
