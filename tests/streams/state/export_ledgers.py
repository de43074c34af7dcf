"""A keeper of ledgers with its table, and what is told to it."""

from datetime import date, datetime
from itertools import islice

import msgspec
from prometheus_client import CollectorRegistry

from hegui.rules.engine import rule_set_hash
from hegui.rules.exports import Account, account_key
from hegui.rules.issues import Timing
from hegui.rules.observations import ExportSum, Observation
from hegui.rules.policy import ExportMechanism
from hegui.streams.metrics import StateMetrics
from hegui.streams.observations import partition_of
from hegui.streams.state.issues import IssueKeeper
from tests.streams.example import BOOK, POLICY

PARTITIONS = 4
ENTITY = "example-company"
TIMING = Timing(quiet_ms=10**12, update_ms=0)
AT_MS = 1_795_140_000_000


def ms(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def day(text):
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def write(table, key, value):
    """Write to a table; None deletes."""
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value


class Ledgers:
    """A keeper, its table, and a log of observations."""

    def __init__(self, table=None, owned=range(PARTITIONS), policy=POLICY, timing=TIMING):
        self.metrics = StateMetrics(CollectorRegistry())
        self.keeper = IssueKeeper(PARTITIONS, timing, self.metrics, version="0")
        self.keeper.use(policy, BOOK, BOOK, rule_set_hash(BOOK))
        self.policy = policy
        self.table = {} if table is None else table
        self.survives = None
        self.offset = 0
        self.keeper.load(self.table, owned)

    def tell(
        self,
        ordinary=(),
        sensitive=(),
        *,
        entity=ENTITY,
        controller=None,
        year=2026,
        at_ms=AT_MS,
        watermark_ms=AT_MS,
        uncounted=None,
        uncounted_ms=None,
        day=None,
    ):
        """Count persons, given as numbers; return the findings."""
        account = Account("default", controller or "example-group", entity, year)
        sum_ = ExportSum(account, at_ms, hashes(ordinary), hashes(sensitive), uncounted or {}, day, uncounted_ms)
        return self.step(partition_of(account_key(account).encode(), PARTITIONS), watermark_ms, (sum_,))

    def dies(self, survives, *told, **how):
        """Count persons, die after so many table writes, and start anew; what was told will be read again."""
        self.survives = survives
        self.tell(*told, **how)
        return self.again(self.offset - 1)

    def again(self, offset):
        """A process that takes over the table, and goes on after an offset."""
        taken = Ledgers(self.table, policy=self.policy)
        taken.offset = offset
        return taken

    def step(self, partition, watermark_ms, exports=()):
        self.offset += 1
        observation = Observation("events", 0, 0, 0, self.offset, watermark_ms, (), exports)
        at_ms = max(AT_MS, watermark_ms) + self.offset
        step = self.keeper.step(partition, self.offset, at_ms, observation)
        for key, value in islice(step.writes.items(), self.survives):
            write(self.table, key, value)
        return [msgspec.json.decode(value) for _, value, _ in step.findings]

    def tick(self, watermark_ms=AT_MS):
        return [f for partition in self.keeper.issues for f in self.step(partition, watermark_ms)]

    def open(self):
        """Rule and entity of the open issues."""
        return {(issue.rule, issue.service.partition("/")[0]) for issue in self.keeper.open()}

    def open_years(self):
        """Rule, entity and legal year of the open issues."""
        return {(issue.rule, *issue.service.split("/")) for issue in self.keeper.open()}

    def gauge(self, name, **labels):
        if name in {"export_subjects", "export_new_subjects", "export_uncounted_events"}:
            labels = {"controller": "example-group", **labels}
        return self.metrics.registry.get_sample_value(f"compliance_{name}", {"tenant": "default", **labels})

    def subjects(self, entity=ENTITY, year="2026"):
        return [self.gauge("export_subjects", entity=entity, year=year, kind=k) for k in ("ordinary", "sensitive")]


def hashes(numbers):
    return tuple(f"{number:064x}" for number in numbers)


def with_mechanism(kind, valid_from="2025-01-01T00:00:00+08:00", valid_to="2028-01-01T00:00:00+08:00"):
    held = ExportMechanism(
        kind=kind,
        reference="m-1",
        valid_from=datetime.fromisoformat(valid_from),
        valid_to=datetime.fromisoformat(valid_to),
    )
    entities = tuple(
        msgspec.structs.replace(e, export_mechanisms=(held,)) if e.name == ENTITY else e for e in POLICY.entities
    )
    return msgspec.structs.replace(POLICY, entities=entities)
