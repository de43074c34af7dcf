"""LOC001."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fails, passes, rule, skips, unclear
from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts
from hegui.rules.localisation.storage import judge_storage
from hegui.rules.screens import kept_and_moderated

_CIIO = {"company": {"critical_infrastructure": True}}


@rule(
    "LOC001",
    on=GenerationEvent,
    zh="应境内存储的个人信息或重要数据（对话日志）存储在境外",
    severity="critical",
    basis=(law.PIPL_ART_40, law.CSL_ART_39),
    waivable=False,
    screen=kept_and_moderated,
    cases=(
        fails("CIIO, personal information", log_region="us-east-1", prompt_personal_information=True, given=_CIIO),
        fails(
            "over the number of persons",
            log_region="sg",
            prompt_personal_information=True,
            given={"company": {"many_persons": True}},
        ),
        fails("important data", log_region="us-east-1", data_class="important"),
        passes("in the mainland", log_region="cn-north-1", prompt_personal_information=True, given=_CIIO),
        passes("in the mainland, capitals", log_region="CN", data_class="core"),
        passes("abroad, neither bound nor important", log_region="us-east-1", prompt_personal_information=True),
        passes("CIIO, but no personal information", log_region="us-east-1", given=_CIIO),
        passes(
            "no personal information, entity not classified",
            log_region="us-east-1",
            given={"company": {"many_persons": None}},
        ),
        skips("before the law", at="2021-10-31T23:59:59+08:00", log_region="us-east-1", data_class="core"),
        unclear("region unknown", log_region=None),
        unclear("class of data unknown", log_region="us-east-1", data_class="unknown"),
        unclear(
            "personal information unknown, CIIO", log_region="us-east-1", prompt_personal_information=None, given=_CIIO
        ),
        unclear(
            "entity not classified",
            log_region="us-east-1",
            prompt_personal_information=True,
            given={"company": {"many_persons": None}},
        ),
        unclear(
            "CIIO or not is unknown",
            log_region="us-east-1",
            prompt_personal_information=True,
            given={"company": {"critical_infrastructure": None}},
        ),
        unclear("no entity in the policy", log_region="us-east-1", given={"svc": {"entity": None}}),
        unclear("a region that only begins alike", log_region="cnx-1", data_class=None),
    ),
)
def output_stored_abroad(event: GenerationEvent, facts: Facts) -> Result:
    """Prompts and outputs that must stay in the mainland are stored abroad.

    Why: operators of critical information infrastructure and entities over the authority's number of persons store
    personal information in the mainland; important data stays there too.

    When it fires:
    1. Read `region` and `entity` in the evidence; check the storage setting of the service.
    2. Route the logs to a mainland region; do not copy the old ones back and forth.
    3. Tell the data protection officer: what was stored abroad so far may be an export.
    """
    if event.log_region is not None and facts.in_mainland(event.log_region):  # nearly every event
        return PASS
    return judge_storage(
        event.log_region,
        "log_region",
        event.prompt_personal_information,
        "prompt_personal_information",
        event.data_class,
        facts,
    )
