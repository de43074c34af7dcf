"""The decision on storage at home that generation and ingest events share. PIPL art. 40; CSL on important data."""

from __future__ import annotations

from hegui.rules.core import PASS, Result, fail, inconclusive
from hegui.rules.events import DataClass
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts


def judge_storage(
    region: str | None,
    region_field: str,
    personal: bool | None,
    personal_field: str,
    data_class: DataClass | None,
    facts: Facts,
) -> Result:
    """Return whether data stored in `region`, which lies abroad, must be stored in the mainland.

    Important and core data must; so must personal information of operators of critical information infrastructure and of
    entities over the authority's number of persons.
    """
    if region is None:
        return inconclusive(region_field)
    if data_class in {"important", "core"}:
        return fail("important data is stored abroad", region=Code(region), data_class=Code(data_class))
    entity = facts.entity()
    if entity is None:
        return inconclusive("entity of the service in the policy")
    bound = entity.critical_infrastructure or entity.many_persons
    if bound:
        if personal:
            return fail(
                "personal information that must stay in the mainland is stored abroad",
                region=Code(region),
                entity=Code(entity.name),
                critical_infrastructure=entity.critical_infrastructure,
            )
        if personal is None:
            return inconclusive(personal_field)
    if data_class in {None, "unknown"}:
        return inconclusive("data_class")
    if not bound and personal is not False and (entity.critical_infrastructure is None or entity.many_persons is None):
        return inconclusive("critical_infrastructure and many_persons of the entity in the policy")
    return PASS
