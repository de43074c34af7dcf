"""Every metric of hegui, in classes built on a given registry. No global registry.

Counters are for rates and denominators, never evidence: pages come from the gauge of open issues. `labels(...).inc()` costs
1.8 us, sixteen rule calls, so the evaluator counts in dicts and adds once a second (`EvaluatorMetrics.add`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from hegui.rules.core import Outcome, Rule
from hegui.rules.engine import Plan
from hegui.rules.facts import FactTable, OptOut
from hegui.rules.policy import OTHER, Policy
from hegui.rules.waivers import WaiverIndex

if TYPE_CHECKING:
    from hegui.streams.optout_index.table import OptOutIndex

_EVALUATION_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_DELAY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0)

_SWEEP_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 604_800.0)

SERVICE_OUTCOMES = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.ERROR)


class ProcessMetrics:
    """What every process exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._info_series: set[tuple[str, ...]] = set()
        self.lag = Gauge(
            "compliance_consumer_lag_records",
            "Records behind the end of the topic",
            ["topic", "partition"],
            registry=registry,
        )
        self.last_commit = Gauge(
            "compliance_last_commit_timestamp_seconds",
            "When offsets were last committed (0: not yet)",
            registry=registry,
        )
        self.readiness = Gauge("compliance_readiness", "1 when the process is ready, as /readyz", registry=registry)
        self.dead_letters = Counter(
            "compliance_dead_letters",
            "Records that could not be decoded or counted",
            ["topic", "reason"],
            registry=registry,
        )
        self.rule_info = Gauge(
            "compliance_rule_info",
            "Rules in force, to join",
            ["rule", "family", "severity", "stage", "clause"],
            registry=registry,
        )
        self.service_info = Gauge(
            "compliance_service_info",
            "Services of the policy, to join",
            ["tenant", "service", "team", "public_cn"],
            registry=registry,
        )
        self.policy_info = Gauge(
            "compliance_policy_info", "Policy and rules in force", ["version", "rule_set"], registry=registry
        )
        self.policy_reload = Gauge(
            "compliance_policy_last_reload_successful",
            "0 when the policy on disk is bad and the old one stays",
            registry=registry,
        )
        self.policy_reload.set(1)
        ProcessCollector(registry=registry)
        Gauge("compliance_build_info", "Version of hegui", ["version"], registry=registry).labels(version("hegui")).set(
            1
        )

    def describe(self, policy: Policy, rules: Iterable[Rule], rule_set: str) -> None:
        """Expose rules, services and policy; replaces what was exposed before."""
        self.rule_info.clear()
        self.service_info.clear()
        self.policy_info.clear()
        for rule in rules:
            self.rule_info.labels(rule.id, rule.family, rule.severity, rule.stage, rule.basis[0].id).set(1)
        for service in policy.services:
            public = "unknown" if service.public_cn is None else str(service.public_cn).lower()
            self.service_info.labels(service.tenant, service.name, service.team, public).set(1)
        for tenant in {service.tenant for service in policy.services} | {"default", OTHER}:
            self.service_info.labels(tenant, OTHER, "unassigned", "unknown").set(1)
        self.policy_info.labels(policy.version, rule_set).set(1)


class ClientMetrics:
    """What an evaluator on librdkafka exposes of its clients; without series on another client."""

    def __init__(self, registry: CollectorRegistry) -> None:
        broker = ["client", "broker"]
        self.received_bytes = Counter(
            "compliance_client_received_bytes", "Bytes from the brokers, as sent", ["client"], registry=registry
        )
        self.sent_bytes = Counter(
            "compliance_client_sent_bytes", "Bytes to the brokers, as sent", ["client"], registry=registry
        )
        self.queued_records = Gauge(
            "compliance_client_queued_records",
            "Records that wait in the client: fetched and not judged yet (consumer), sent and not acknowledged (others)",
            ["client"],
            registry=registry,
        )
        self.queued_bytes = Gauge(
            "compliance_client_queued_bytes", "Bytes of these records", ["client"], registry=registry
        )
        self.rebalances = Counter(
            "compliance_client_rebalances", "Rebalances of the group that this member saw", registry=registry
        )
        self.errors = Counter(
            "compliance_client_errors",
            "Requests that could not be sent, answers that could not be read, time-outs, lost connections",
            [*broker, "kind"],
            registry=registry,
        )
        self.round_trip = Gauge(
            "compliance_client_round_trip_seconds",
            "From request to answer, 99th percentile of five seconds; a fetch waits for records up to 0.1 s",
            broker,
            registry=registry,
        )
        self.queue_time = Gauge(
            "compliance_client_queue_time_seconds",
            "What a record waits in the producer before it goes out, 99th percentile of five seconds",
            broker,
            registry=registry,
        )
        self.throttle = Gauge(
            "compliance_client_throttle_seconds",
            "How long the broker made the client wait (quota), 99th percentile of five seconds",
            broker,
            registry=registry,
        )


MAX_REASONS = 500
"""Most things that `compliance_inconclusive_total` tells apart; the rest is `other`."""


class EvaluatorMetrics(ProcessMetrics):
    """What an evaluator exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.events = Counter("compliance_events", "Events judged", ["stream", "service"], registry=registry)
        self.evaluations = Counter(
            "compliance_evaluations", "Outcomes of rules", ["rule", "outcome"], registry=registry
        )
        self.service_evaluations = Counter(
            "compliance_service_evaluations",
            "Outcomes of rules per service: failures, inconclusive and errors",
            ["service", "rule", "outcome"],
            registry=registry,
        )
        self.inconclusive = Counter(
            "compliance_inconclusive",
            "Events that a rule could not decide, by what it lacked",
            ["service", "rule", "missing"],
            registry=registry,
        )
        self._reasons: set[str] = set()
        self.waivers = Gauge(
            "compliance_waivers",
            "Waivers now, by state: active, future, expired, without_effect (no such rule or service)",
            ["state"],
            registry=registry,
        )
        self.waiver_expiry = Gauge(
            "compliance_waiver_expiry_timestamp_seconds",
            "When a waiver ends, by event time",
            ["waiver"],
            registry=registry,
        )
        self.evaluation_seconds = Histogram(
            "compliance_evaluation_seconds", "Time to judge one batch", buckets=_EVALUATION_BUCKETS, registry=registry
        )
        self.detection_delay = Histogram(
            "compliance_detection_delay_seconds",
            "From an event's append to the acknowledgement of its results, oldest event of each batch",
            buckets=_DELAY_BUCKETS,
            registry=registry,
        )
        self.facts_ready = Gauge("compliance_facts_ready", "1 when a fact table is ready", ["fact"], registry=registry)
        self.facts_staleness = Gauge(
            "compliance_facts_staleness_seconds",
            "Since the reader last stood at the topic's end",
            ["fact"],
            registry=registry,
        )
        self.optouts = Gauge(
            "compliance_optouts",
            "Opt-outs in the snapshot on disk, and in memory: all of them, or those since the snapshot, removals too",
            ["place"],
            registry=registry,
        )
        self.optouts_snapshot = Gauge(
            "compliance_optouts_snapshot_timestamp_seconds",
            "When the snapshot of opt-outs in use was written (0: there is none)",
            registry=registry,
        )
        self.last_event = Gauge(
            "compliance_last_event_timestamp_seconds", "Event time of the latest event", ["service"], registry=registry
        )
        self.coverage_gap = Counter(
            "compliance_coverage_gap_records", "Input records that the log no longer had", ["topic"], registry=registry
        )
        self.client = ClientMetrics(registry)

    def initialise(self, rules: Iterable[Rule], topics: Iterable[str]) -> None:
        """Create the series whose labels are known, at 0: a counter born at 1 is invisible to `increase()`."""
        for rule in rules:
            for outcome in Outcome:
                self.evaluations.labels(rule.id, outcome.value)
        for topic in topics:
            self.coverage_gap.labels(topic)
            for reason in DEAD_LETTER_REASONS:
                self.dead_letters.labels(topic, reason)

    def describe(self, policy: Policy, rules: Iterable[Rule], rule_set: str) -> None:
        """Expose rules, services and policy, and create the series of every service at 0."""
        rules = tuple(rules)
        super().describe(policy, rules, rule_set)
        for service in {service.name for service in policy.services} | {OTHER}:
            for rule in rules:
                for outcome in SERVICE_OUTCOMES:
                    self.service_evaluations.labels(service, rule.id, outcome.value)

    def add(self, tallies: Tallies) -> None:
        """Add what was counted and reset it."""
        for (stream, service), n in tallies.events.items():
            self.events.labels(stream, service).inc(n)
        for (service, rule, outcome), n in tallies.evaluations.items():
            self.evaluations.labels(rule, outcome.value).inc(n)
            if outcome in SERVICE_OUTCOMES:
                self.service_evaluations.labels(service, rule, outcome.value).inc(n)
        for (service, rule, what), n in tallies.missing.items():
            self.inconclusive.labels(service, rule, self._reason(what)).inc(n)
        for service, at_ms in tallies.last_event_ms.items():
            self.last_event.labels(service).set(at_ms / 1000)
        for (topic, reason), n in tallies.dead_letters.items():
            self.dead_letters.labels(topic, reason).inc(n)
        tallies.clear()

    def show_waivers(self, index: WaiverIndex, now_ms: int) -> None:
        """Expose waivers by state, and when each ends."""
        states = dict.fromkeys(("active", "future", "expired"), 0)
        self.waiver_expiry.clear()
        for waiver in index.effective:
            start_ms, end_ms = waiver.interval()
            state = "future" if now_ms < start_ms else "expired" if end_ms <= now_ms else "active"
            states[state] += 1
            self.waiver_expiry.labels(waiver.id).set(end_ms / 1000)
        for state, n in (*states.items(), ("without_effect", len(index.without_effect))):
            self.waivers.labels(state).set(n)

    def show_optouts(self, table: FactTable[OptOut] | OptOutIndex) -> None:
        """Expose how many opt-outs there are, on disk and in memory."""
        if isinstance(table, FactTable):
            self.optouts.labels("memory").set(len(table))
            return
        self.optouts.labels("snapshot").set(table.entries)
        self.optouts.labels("memory").set(table.recent_records)
        if table.file is not None:
            self.optouts_snapshot.set(table.file.header.written_at)

    def _reason(self, what: str) -> str:
        """Return a label of what a rule lacked. The rules name finitely many things; a rule pack that does not is held in check."""
        if what not in self._reasons:
            if len(self._reasons) >= MAX_REASONS:
                return OTHER
            self._reasons.add(what)
        return what


class Tallies:
    """Plain counts between two additions to the counters."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], int] = {}
        self.plans: dict[Plan, int] = {}
        """Events of each plan, not yet spread over its rules."""
        self._evaluations: dict[tuple[str, str, Outcome], int] = {}
        self.missing: dict[tuple[str, str, str], int] = {}
        """Service, rule id and what it lacked to events that it could not decide."""
        self.last_event_ms: dict[str, int] = {}
        self.dead_letters: dict[tuple[str, str], int] = {}

    def deviated(self, service: str, rule: str, outcome: Outcome, events: int) -> None:
        """Count events of a plan, which are counted as passes of its rules, with another outcome of one rule."""
        counts = self._evaluations
        counts[service, rule, outcome] = counts.get((service, rule, outcome), 0) + events
        counts[service, rule, Outcome.PASS] = counts.get((service, rule, Outcome.PASS), 0) - events

    def lacked(self, service: str, rule: str, what: str, events: int) -> None:
        """Count events that a rule could not decide, by what it lacked."""
        key = (service, rule, what)
        self.missing[key] = self.missing.get(key, 0) + events

    @property
    def evaluations(self) -> dict[tuple[str, str, Outcome], int]:
        """Service, rule id and outcome to events."""
        counts = self._evaluations
        for plan, events in self.plans.items():
            for key in plan.outcome_keys:
                counts[key] = counts.get(key, 0) + events
            for rule, result in plan.inconclusive:
                self.lacked(plan.group.label, rule.id, str(result.evidence.get("missing")), events)
        self.plans.clear()
        for key in [key for key, n in counts.items() if not n]:  # every event deviated
            del counts[key]
        return counts

    def clear(self) -> None:
        """Forget all counts; the latest event times stay."""
        self.events.clear()
        self.plans.clear()
        self._evaluations.clear()
        self.missing.clear()
        self.dead_letters.clear()


class StateMetrics(ProcessMetrics):
    """What the state agents expose."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        key = ["tenant", "service", "rule"]
        self.open_issues = Gauge(
            "compliance_open_issues", "1 while the issue is open and not suppressed", key, registry=registry
        )
        self.suppressed = Gauge(
            "compliance_suppressed_issues", "1 while all failures of the issue are waived", key, registry=registry
        )
        self.failures = Gauge("compliance_issue_failures", "Failures of the open issue", key, registry=registry)
        self.first_failure = Gauge(
            "compliance_issue_first_failure_timestamp_seconds",
            "First failure of the open issue, by event time",
            key,
            registry=registry,
        )
        self.last_failure = Gauge(
            "compliance_issue_last_failure_timestamp_seconds",
            "Last failure of the open issue, by event time",
            key,
            registry=registry,
        )
        self.issue_info = Gauge(
            "compliance_issue_info",
            "Finding and a sample violation of the open issue",
            [*key, "finding", "sample"],
            registry=registry,
        )
        self.findings = Counter("compliance_findings", "Findings sent", ["activity"], registry=registry)
        self.observations = Counter("compliance_observations", "Observations counted", registry=registry)
        self.coverage_gap = Counter(
            "compliance_coverage_gap_records",
            "Observations that the log no longer had when they should have been counted",
            ["topic"],
            registry=registry,
        )
        self.watermark = Gauge(
            "compliance_watermark_timestamp_seconds",
            "Event time that all sources have reached",
            ["partition"],
            registry=registry,
        )
        for activity in ("create", "update", "close"):
            self.findings.labels(activity)
        self.export_subjects = Gauge(
            "compliance_export_subjects",
            "Distinct persons whose information the entity provided abroad in the legal year, with those that the policy adds",
            ["tenant", "controller", "entity", "year", "kind"],
            registry=registry,
        )
        self.export_new_subjects = Gauge(
            "compliance_export_new_subjects",
            "Of the persons of the legal year, those who came in the last seven legal days",
            ["tenant", "controller", "entity", "year", "kind"],
            registry=registry,
        )
        self.exports_forgotten = Counter(
            "compliance_exports_forgotten",
            "Sums of exports left out, because ledgers of their legal year are not kept any more",
            registry=registry,
        )
        self.export_uncounted = Gauge(
            "compliance_export_uncounted_events",
            "Exports of the legal year whose persons could not be counted, by reason",
            ["tenant", "controller", "entity", "year", "problem"],
            registry=registry,
        )
        self.export_limit_step = Gauge(
            "compliance_export_limit_step_ratio",
            "Step of a limit of the legal year that the persons of an entity have reached (0.8, 0.9, 0.95), while it holds nothing that allows more",
            ["tenant", "entity", "year", "limit"],
            registry=registry,
        )
        self.ledger_outcome = Gauge(
            "compliance_ledger_outcome",
            "Ledgers of an entity or a service of which a rule says so at present",
            ["tenant", "entity", "rule", "outcome"],
            registry=registry,
        )
        self.ledger_states = Gauge(
            "compliance_ledger_states", "States that are remembered, by ledger", ["ledger"], registry=registry
        )
        self.late_entries = Counter(
            "compliance_ledger_late_entries",
            "Entries that came when their state was over already, and were not counted",
            ["ledger"],
            registry=registry,
        )
        self.condemned_sources = Gauge(
            "compliance_condemned_sources",
            "Sources from which nothing may be taken: more than 5 % of their records were illegal",
            ["tenant"],
            registry=registry,
        )
        self.corpus_versions = Gauge(
            "compliance_corpus_versions",
            "Dataset versions of the pipeline, by whether they are released for training",
            ["tenant", "service", "state"],
            registry=registry,
        )
        self.sessions = Gauge(
            "compliance_sessions", "Sessions of the companion service in use", ["tenant", "service"], registry=registry
        )
        case = ["tenant", "service", "kind"]
        self.open_cases = Gauge(
            "compliance_open_cases",
            "Notices, complaints and incidents that were not dealt with yet",
            case,
            registry=registry,
        )
        self.oldest_case = Gauge(
            "compliance_oldest_open_case_timestamp_seconds", "When the oldest of them began", case, registry=registry
        )
        self.next_deadline = Gauge(
            "compliance_next_deadline_timestamp_seconds",
            "When the next of them is due, or was",
            case,
            registry=registry,
        )
        self.label_outputs = Counter(
            "compliance_label_outputs",
            "Outputs that must carry a label, by what the rule on it said; holds over restarts",
            ["tenant", "service", "modality", "label", "outcome"],
            registry=registry,
        )
        for ledger in LEDGERS:
            self.late_entries.labels(ledger)


class SweeperMetrics(ProcessMetrics):
    """What the sweeper exposes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.sweep_records = Counter("compliance_sweep_records", "Records read by sweeps", ["topic"], registry=registry)
        self.sweep_hits = Counter(
            "compliance_sweep_hits",
            "Records found that were ingested before the opt-out that covers them; read again, they count again",
            ["service"],
            registry=registry,
        )
        self.sweep_remaining = Gauge(
            "compliance_sweep_remaining_records",
            "Records of the range of the running sweep that are still to be read",
            ["topic", "partition"],
            registry=registry,
        )
        self.sweep_progress = Gauge(
            "compliance_sweep_progress_ratio",
            "Part of that range that was read; 1 when no sweep runs",
            registry=registry,
        )
        self.sweep_pending = Gauge(
            "compliance_sweep_pending_optouts",
            "Records of opt-outs for which no sweep has ended yet",
            registry=registry,
        )
        self.sweep_duration = Histogram(
            "compliance_sweep_duration_seconds",
            "From the beginning of a sweep to its end, time in which no sweeper ran included",
            buckets=_SWEEP_BUCKETS,
            registry=registry,
        )
        self.sweep_progress.set(1)

    def describe(self, policy: Policy, rules: Iterable[Rule], rule_set: str) -> None:
        """Expose rules, services and policy, and create the series of every service at 0."""
        super().describe(policy, rules, rule_set)
        for service in {service.name for service in policy.services} | {OTHER}:
            self.sweep_hits.labels(service)


DEAD_LETTER_REASONS = (
    "tombstone",
    "too_large",
    "not_json",
    "wrong_encoding",
    "invalid_envelope",
    "unknown_type",
    "invalid_data",
    "unreadable",
)
"""Reasons of dead letters among input records."""


LEDGERS = ("source", "corpus", "coverage", "session", "case", "abuse", "produce_id", "content_label")
"""Names of the ledgers, as tags of their entries and states."""


def metric_names() -> frozenset[str]:
    """Return the names of all exposed families as queries use them: counters with `_total`, histograms without suffix."""
    names: set[str] = set()
    for make in (EvaluatorMetrics, StateMetrics, SweeperMetrics):
        metrics: ProcessMetrics = make(CollectorRegistry())
        for family in metrics.registry.collect():
            names.add(family.name + ("_total" if family.type == "counter" else ""))
    return frozenset(names)


METRIC_NAMES: frozenset[str] = metric_names()
"""Used by the tests of dashboards and alerts."""


def drop(gauge: Gauge | Counter, labels: tuple[str, ...]) -> None:
    """Remove the series of some label values; nothing happens when there is none."""
    try:
        gauge.remove(*labels)
    except KeyError:
        return


def remove(gauge: Gauge, labels: Mapping[str, str]) -> None:
    """Remove a series, label names given; nothing happens when there is none."""
    drop(gauge, tuple(labels.values()))
