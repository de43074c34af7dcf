"""LOC002."""

from hegui.rules import law
from hegui.rules.cases import holding
from hegui.rules.core import PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.localisation.mechanism import exempt, held_at

_EXPORT = Export(entity="company", destination_country="SG")


@rule(
    "LOC002",
    on=GenerationEvent,
    zh="未经安全评估、标准合同或认证向境外提供数据",
    severity="critical",
    basis=(law.CROSS_BORDER_ART_7, law.CROSS_BORDER_ART_8, law.PIPL_ART_38),
    when={"exported": {True}},
    waivable=False,
    cases=(
        fails("sensitive, nothing held", exported=True, export=_EXPORT, sensitive_personal_information=True),
        fails(
            "sensitive, contract ended that very moment",
            exported=True,
            export=_EXPORT,
            sensitive_personal_information=True,
            given=holding("standard_contract", "2026-08-01T12:00:00+08:00"),
        ),
        fails(
            "important data, only a contract",
            exported=True,
            export=_EXPORT,
            data_class="important",
            given=holding("standard_contract"),
        ),
        fails(
            "core data, only a contract",
            exported=True,
            export=_EXPORT,
            data_class="core",
            given=holding("standard_contract"),
        ),
        fails(
            "important data is never exempt",
            exported=True,
            export=Export(entity="company", exemption="art_5_1", exemption_document="c-1"),
            data_class="important",
        ),
        fails(
            "CIIO, only a contract",
            exported=True,
            export=_EXPORT,
            given=holding("standard_contract", critical_infrastructure=True),
        ),
        fails(
            "an exemption without its document",
            exported=True,
            export=Export(entity="company", exemption="art_5_1", exemption_document=""),
            sensitive_personal_information=True,
        ),
        fails(
            "a zone without its list",
            exported=True,
            export=Export(
                entity="company",
                exemption="art_6",
                exemption_document="registration-1",
                free_trade_zone="shanghai-lingang",
                list_version="",
            ),
            sensitive_personal_information=True,
        ),
        unclear(
            "the exemption's document is not stated",
            exported=True,
            export=Export(entity="company", exemption="art_5_1"),
            sensitive_personal_information=True,
        ),
        unclear(
            "the zone is not stated",
            exported=True,
            export=Export(entity="company", exemption="art_6", exemption_document="registration-1", list_version="1"),
            sensitive_personal_information=True,
        ),
        unclear(
            "not sensitive, before the numbers of today", at="2024-03-21T23:59:59+08:00", exported=True, export=_EXPORT
        ),
        passes(
            "sensitive, contract",
            exported=True,
            export=_EXPORT,
            sensitive_personal_information=True,
            given=holding("standard_contract"),
        ),
        passes(
            "important data, assessed",
            exported=True,
            export=_EXPORT,
            data_class="important",
            given=holding("security_assessment"),
        ),
        passes(
            "CIIO, assessed",
            exported=True,
            export=_EXPORT,
            given=holding("security_assessment", critical_infrastructure=True),
        ),
        passes("certified", exported=True, export=_EXPORT, given=holding("certification")),
        passes(
            "exempt with its document",
            exported=True,
            export=Export(entity="company", exemption="art_5_1", exemption_document="c-1"),
            sensitive_personal_information=True,
        ),
        skips("nothing left the mainland"),
        skips("before the law", at="2021-10-31T23:59:59+08:00", exported=True, export=_EXPORT, data_class="important"),
        passes("not sensitive: the ledger of the year tells how many", exported=True, export=_EXPORT),
        unclear("sensitivity unknown", exported=True, export=_EXPORT, sensitive_personal_information=None),
        unclear(
            "class of data not stated", exported=True, export=_EXPORT, data_class=None, given=holding("certification")
        ),
        unclear(
            "class of data unknown", exported=True, export=_EXPORT, data_class="unknown", given=holding("certification")
        ),
        unclear("entity unknown", exported=True, export=Export(entity="nobody")),
        unclear("CIIO unknown", exported=True, export=_EXPORT, given={"company": {"critical_infrastructure": None}}),
        unclear("whether anything left is unknown", exported=None),
        unclear("no details", exported=True),
    ),
)
def export_without_mechanism(event: GenerationEvent, facts: Facts) -> Result:
    """Data went abroad without the security assessment, standard contract or certification it needs.

    Why: important data and every export of a CIIO need a passed security assessment; one person's sensitive information
    already needs a filed standard contract or a certificate. For information that is not sensitive the count of persons in
    the year decides: LOC011 and LOC012 judge it, and this rule passes.

    When it fires:
    1. Read `needs` and `entity` in the evidence; look up what the entity holds under `entities` in the policy.
    2. Stop the export until the mechanism is in place, or record the exemption with its document.
    3. Tell the data protection officer; note how many persons were concerned.
    """
    export = event.export
    if export is None:
        return inconclusive("export")
    entity = facts.entity(export.entity)
    if entity is None:
        return inconclusive("the exporting entity in the policy")
    held = held_at(entity, facts.at_ms)
    if event.data_class in {"important", "core"} and "security_assessment" not in held:
        return fail(
            "important data went abroad without a security assessment",
            needs=Code("security_assessment"),
            entity=Code(entity.name),
        )
    if "security_assessment" in held:
        return PASS
    if event.data_class in {None, "unknown"}:
        return inconclusive("data_class")
    if entity.critical_infrastructure is None:
        return inconclusive("critical_infrastructure of the entity in the policy")
    if entity.critical_infrastructure:
        return fail(
            "a CIIO exported without a security assessment", needs=Code("security_assessment"), entity=Code(entity.name)
        )
    proven = exempt(export)
    if held or proven:
        return PASS
    if event.sensitive_personal_information is None:
        return inconclusive("sensitive_personal_information")
    if event.sensitive_personal_information:
        if proven is None:
            return inconclusive("the proof of the exemption")
        return fail(
            "sensitive personal information went abroad without contract or certificate",
            needs=Code("standard_contract"),
            entity=Code(entity.name),
        )
    if not law.CROSS_BORDER_ART_8.in_force_at(facts.at_ms):
        return inconclusive("the numbers that counted before 2024-03-22")
    return PASS
