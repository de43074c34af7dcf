"""The issue keeper: gauges, progress, findings, and what happens to them when partitions come and go."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from hegui.rules.engine import rule_set_hash
from hegui.rules.issues import Timing, issue_key
from hegui.rules.observations import Observation, Sum
from hegui.streams.metrics import StateMetrics
from hegui.streams.observations import partition_of
from hegui.streams.schema import json_schemas
from hegui.streams.state.issues import PROGRESS, IssueKeeper, Progress, read_progress
from tests.streams.example import POLICY, RULES

PARTITIONS = 4
KEY = ("default", "LBL001", "image-studio")
HOME = partition_of(issue_key(*KEY).encode(), PARTITIONS)
AT_MS = 1_795_140_000_000
LABELS = dict(zip(("tenant", "rule", "service"), KEY, strict=True))


class Keeper:
    """A keeper and its table."""

    def __init__(self, table=None, owned=range(PARTITIONS), *, rules=RULES):
        self.metrics = StateMetrics(CollectorRegistry())
        self.keeper = IssueKeeper(
            PARTITIONS,
            Timing(quiet_ms=1000, update_ms=10_000),
            self.metrics,
            version="0.1",
            pages="https://pages.example",
        )
        self.keeper.use(POLICY, rules, rules, rule_set_hash(rules))
        self.table = {} if table is None else table
        self.offset = 0
        self.keeper.load(self.table, owned)

    def count(self, failures=0, waived=0, *, key=KEY, watermark_ms=AT_MS, at_ms=AT_MS, upto=10, **sums):
        partition = partition_of(issue_key(*key).encode(), PARTITIONS)
        failed = tuple(f"uid-{n}" for n in range(failures + waived))
        dated = {"first_failure_ms": AT_MS, "last_failure_ms": AT_MS} if failures or waived else {}
        sum_ = Sum(*key, failures=failures, waived=waived, **{**dated, "failed": failed, **sums})
        observation = Observation("events", 0, 0, 0, upto, watermark_ms, (sum_,))
        step = self.keeper.step(partition, self.offset, at_ms, observation)
        self.offset += 1
        self.table.update(step.writes)
        self.keeper.sent(step.reports)
        return [msgspec.json.decode(value) for _, value, _ in step.findings]

    def gauge(self, name, **labels):
        return self.metrics.registry.get_sample_value(f"compliance_{name}", labels or LABELS)

    def series(self):
        """Names of the series that tell of an issue."""
        return {
            sample.name
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.labels.get("rule") == KEY[1] and "service" in sample.labels
        }


def test_a_first_failure_opens_the_issue_and_raises_its_gauges():
    keeper = Keeper()
    (finding,) = keeper.count(3)
    assert finding["activity_name"] == "Create"
    assert keeper.gauge("open_issues") == 1
    assert keeper.gauge("issue_failures") == 3
    assert keeper.gauge("issue_first_failure_timestamp_seconds") == AT_MS / 1000
    assert keeper.gauge("suppressed_issues") is None
    assert keeper.gauge("issue_info", **LABELS, finding=finding["finding_info"]["uid"], sample="uid-0") == 1
    assert keeper.gauge("findings_total", activity="create") == 1
    assert keeper.gauge("watermark_timestamp_seconds", partition=str(HOME)) == AT_MS / 1000


def test_an_update_is_sent_at_most_every_ten_seconds():
    keeper = Keeper()
    keeper.count(1, upto=10)
    assert keeper.count(2, upto=11, at_ms=AT_MS + 9_999) == []
    (finding,) = keeper.count(3, upto=12, at_ms=AT_MS + 10_000)
    assert (finding["activity_name"], finding["unmapped"]["failures"]) == ("Update", 3)


def test_a_closed_issue_takes_its_gauges_along():
    keeper = Keeper()
    keeper.count(1)
    (finding,) = keeper.count(1, upto=20, watermark_ms=AT_MS + 5000, last_pass_ms=AT_MS + 5000)
    assert (finding["activity_name"], finding["status"]) == ("Close", "Resolved")
    assert keeper.series() == set()


def test_an_issue_of_waived_failures_is_suppressed_not_open():
    keeper = Keeper()
    (finding,) = keeper.count(waived=2)
    assert finding["status"] == "Suppressed"
    assert (keeper.gauge("open_issues"), keeper.gauge("suppressed_issues")) == (None, 1)
    keeper.count(failures=1, waived=2, upto=20)
    assert (keeper.gauge("open_issues"), keeper.gauge("suppressed_issues")) == (1, None)


def test_only_passes_make_no_issue():
    keeper = Keeper()
    assert keeper.count(last_pass_ms=AT_MS) == []
    assert set(keeper.table) == {PROGRESS + str(HOME).encode()}


def test_a_released_partition_takes_its_gauges_along():
    keeper = Keeper()
    keeper.count(3)
    keeper.keeper.release([HOME])
    assert keeper.series() == set()
    assert keeper.gauge("watermark_timestamp_seconds", partition=str(HOME)) is None
    assert list(keeper.keeper.open()) == []
    keeper.keeper.release([HOME])


def test_a_loaded_table_brings_the_gauges_back():
    before = Keeper()
    before.count(3)
    after = Keeper(before.table)
    assert after.gauge("open_issues") == 1
    assert after.series() == before.series()
    assert after.keeper.progress[HOME].watermarks == {"events/0": AT_MS}


def test_loading_keeps_to_the_partitions_that_are_owned():
    before = Keeper()
    before.count(3)
    after = Keeper(before.table, owned=set(range(PARTITIONS)) - {HOME})
    assert after.series() == set()
    assert HOME not in after.keeper.progress
    before.keeper.load(before.table, set(range(PARTITIONS)) - {HOME})
    assert before.series() == set()


def test_a_step_that_is_repeated_after_a_crash_reports_nothing_new():
    keeper = Keeper()
    (first,) = keeper.count(3)
    again = Keeper(dict(keeper.table))
    assert again.count(3) == []
    (repeated,) = Keeper({}).count(3)
    assert repeated["finding_info"]["uid"] == first["finding_info"]["uid"]


def test_the_watermark_is_that_of_the_slowest_source():
    progress = Progress(watermarks={"events/0": 5, "events/1": 3})
    assert progress.watermark_ms == 3
    assert Progress().watermark_ms == 0


def test_a_record_that_is_no_observation_is_passed_over():
    keeper = Keeper()
    keeper.count(1)
    for offset in (7, 3):
        ((_, value),) = keeper.keeper.skip(HOME, offset, AT_MS).items()
        assert read_progress(value).last_offset == 7


def test_two_processes_never_expose_one_issue():
    before = Keeper()
    before.count(3)
    before.keeper.release([HOME])
    after = Keeper(before.table)
    assert [before.gauge("open_issues"), after.gauge("open_issues")] == [None, 1]


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_the_findings_of_every_rule_are_ocsf(rule):
    keeper = Keeper()
    key = ("default", rule, "image-studio")
    made = keeper.count(2, 1, key=key)
    made += keeper.count(3, 1, key=key, upto=20, at_ms=AT_MS + 20_000)
    made += keeper.count(3, 1, key=key, upto=30, watermark_ms=AT_MS + 50_000, last_pass_ms=AT_MS + 50_000)
    assert [finding["activity_name"] for finding in made] == ["Create", "Update", "Close"]
    import jsonschema

    for finding in made:
        found = ComplianceFinding.model_validate(finding)
        assert found.class_uid == 2003
        assert found.finding_info.uid == finding["finding_info"]["uid"]
        jsonschema.Draft202012Validator(json_schemas()["finding"]).validate(finding)
        assert finding["resources"][0]["group"]["name"] == "imaging"
        assert finding["finding_info"]["src_url"] == f"https://pages.example/{rule}.md"


def test_the_record_of_a_finding_says_what_it_is():
    keeper = Keeper()
    observation = Observation(
        "events", 0, 0, 0, 1, AT_MS, (Sum(*KEY, failures=1, first_failure_ms=AT_MS, failed=("u",)),)
    )
    ((key, value, headers),) = keeper.keeper.step(HOME, 0, AT_MS, observation).findings
    assert key.decode() == msgspec.json.decode(value)["finding_info"]["uid"]
    assert (headers["ce_type"], headers["ce_specversion"]) == (b"hegui.finding.v1", b"1.0")


def test_the_open_issue_of_a_rule_that_was_removed_can_still_close():
    before = Keeper()
    before.count(1)
    after = Keeper(before.table, rules=tuple(rule for rule in RULES if rule.id != "LBL001"))
    (finding,) = after.count(1, upto=20, watermark_ms=AT_MS + 5000, last_pass_ms=AT_MS + 5000)
    assert finding["activity_name"] == "Close"
    assert finding["finding_info"]["title"] == "LBL001 (not installed)"
    ComplianceFinding.model_validate(finding)


def test_a_pass_of_time_closes_issues_that_the_record_does_not_name():
    keeper = Keeper()
    keeper.count(1, last_pass_ms=AT_MS + 1)
    tick = Observation("events", 0, 0, 0, 20, AT_MS + 60_000)
    step = keeper.keeper.step(HOME, 5, AT_MS + 60_000, tick)
    assert [report.activity for report in step.reports] == ["close"]
    assert keeper.series() == set()
