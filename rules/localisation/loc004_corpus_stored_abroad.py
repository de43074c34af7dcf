"""LOC004."""

from hegui.rules import law
from hegui.rules.core import PASS, Result, fails, passes, rule, skips, unclear
from hegui.rules.events import IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.localisation.storage import judge_storage
from hegui.rules.screens import sound_record

_CIIO = {"company": {"critical_infrastructure": True}}


@rule(
    "LOC004",
    on=IngestEvent,
    zh="应境内存储的个人信息或重要数据（训练语料）存储在境外",
    severity="critical",
    basis=(law.PIPL_ART_40, law.CSL_ART_39),
    waivable=False,
    screen=sound_record,
    cases=(
        fails("CIIO, personal information", storage_region="us-east-1", personal_information=True, given=_CIIO),
        fails("core data", storage_region="de", data_class="core"),
        passes("in the mainland", personal_information=True, given=_CIIO),
        passes("abroad, neither bound nor important", storage_region="us-east-1", personal_information=True),
        skips("before the law", at="2021-10-31T23:59:59+08:00", storage_region="de", data_class="core"),
        unclear("region unknown", storage_region=None),
        unclear("class of data unknown", storage_region="de", data_class=None),
        unclear("personal information unknown, CIIO", storage_region="de", personal_information=None, given=_CIIO),
    ),
)
def corpus_stored_abroad(event: IngestEvent, facts: Facts) -> Result:
    """A training record that must stay in the mainland is stored abroad.

    Why: operators of critical information infrastructure and entities over the authority's number of persons store
    personal information in the mainland; important data stays there too.

    When it fires:
    1. Read `region` in the evidence; check the storage setting of the dataset.
    2. Stop the pipeline; move the dataset to a mainland region.
    3. Tell the data protection officer: what was stored abroad so far may be an export.
    """
    if event.storage_region is not None and facts.in_mainland(event.storage_region):  # nearly every event
        return PASS
    return judge_storage(
        event.storage_region,
        "storage_region",
        event.personal_information,
        "personal_information",
        event.data_class,
        facts,
    )
