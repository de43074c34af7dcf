"""Versions of what is stored: each entry says by which version it was written, and of two versions side by side neither misreads the other."""

from contextlib import contextmanager

import msgspec
import pytest

from hegui.rules.exports import Account
from hegui.rules.observations import ExportSum, Observation, Sum
from hegui.streams.errors import StateVersionError
from hegui.streams.observations import partition_of
from hegui.streams.state import export_table, issues, ledgers
from hegui.streams.state.contents import contents
from hegui.streams.state.export_table import ACCOUNT, PERSON
from hegui.streams.state.issues import LEVEL_ISSUE, PROGRESS
from hegui.streams.state.ledgers import LEDGER
from tests.streams.state.export_ledgers import hashes
from tests.streams.state.test_ledgers import NOW_MS, PARTITIONS, Ledgers, complaint, source

KINDS = {
    "progress": PROGRESS,
    "account": ACCOUNT,
    "state": LEDGER,
    "level issue": LEVEL_ISSUE,
    "issue": b"default|",
}
MODULES = {
    "progress": issues,
    "account": export_table,
    "state": ledgers,
    "level issue": issues,
    "issue": issues,
}
KNOWN = {kind: module.VERSION for kind, module in MODULES.items()}


@contextmanager
def a_newer_process(*modules):
    """A process that writes the next version of what these modules store."""
    with pytest.MonkeyPatch.context() as patch:
        for module in modules or (issues, export_table, ledgers):
            patch.setattr(module, "VERSION", module.VERSION + 1)
        yield


def observe(keeper, place, **told):
    keeper.offset += 1
    at = keeper.offset
    partition = partition_of(place.encode(), PARTITIONS)
    observation = Observation("events", 0, at, at * 8, at * 8 + 8, NOW_MS, **told)
    keeper.table.update(keeper.keeper.step(partition, at, NOW_MS + at, observation).writes)


def tell_of_everything(keeper, person=1):
    """Change an entry of every kind; with the first person a complaint stands open, with the second it turns out to be answered."""
    answered = {} if person == 1 else {"done_ms": NOW_MS - 10**9 + 1, "revision": 1}
    keeper.tell(source(400, 21), complaint(opened_ms=NOW_MS - 10**9, **answered))
    account = Account("default", "example-group", "example-company", 2026)
    observe(keeper, "default|example-group", exports=(ExportSum(account, NOW_MS, sensitive=tuple(hashes([person]))),))
    one = Sum("default", "LBL001", "image-studio", failures=1, first_failure_ms=NOW_MS, last_failure_ms=NOW_MS)
    observe(keeper, "default|LBL001|image-studio", sums=(one,))


def of_kind(table, kind):
    return {key: msgspec.json.decode(value) for key, value in table.items() if key.startswith(KINDS[kind])}


def versions(table):
    """Kind to the versions that its entries say."""
    return {kind: {entry.get("version") for entry in of_kind(table, kind).values()} for kind in KINDS}


def told():
    keeper = Ledgers()
    tell_of_everything(keeper)
    return keeper


def test_every_entry_says_its_version_although_defaults_are_left_out():
    table = told().table
    assert versions(table) == {kind: {KNOWN[kind]} for kind in KINDS}
    known = tuple(KINDS.values())
    assert [key for key in table if not key.startswith((*known, PERSON))] == []


@pytest.mark.parametrize("version", [None, 0, 1])
def test_what_an_older_version_wrote_is_of_this_one_once_it_is_changed(version):
    table = dict(told().table)
    for kind in KINDS:
        for key, entry in of_kind(table, kind).items():
            entry.pop("version")
            table[key] = msgspec.json.encode(entry if version is None else {**entry, "version": version})
    before = {key: value for key, value in table.items() if not key.startswith(PERSON)}
    with a_newer_process():
        after = Ledgers(table)
        after.offset = 100
        tell_of_everything(after, person=2)
    changed = {key: table[key] for key, value in before.items() if table[key] != value}
    assert versions(changed) == {kind: {KNOWN[kind] + 1} for kind in KINDS}
    unchanged = {key: value for key, value in before.items() if table[key] == value}
    assert all(msgspec.json.decode(value).get("version") == version for value in unchanged.values())


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_versions_side_by_side_the_older_refuses_what_the_newer_wrote(kind):
    table = told().table
    with a_newer_process(MODULES[kind]):
        newer = Ledgers(table)
        newer.offset = 100
        tell_of_everything(newer, person=2)
        assert KNOWN[kind] + 1 in versions(table)[kind]
        Ledgers(table)
        assert contents(table)
    only = {key: value for key, value in table.items() if key.startswith(KINDS[kind])}
    kept = dict(only)
    for read in (Ledgers, contents):
        sentence = f"has version {KNOWN[kind] + 1}, known here is {KNOWN[kind]}; run a newer hegui"
        with pytest.raises(StateVersionError, match=sentence):
            read(only)
    assert only == kept


def test_a_partition_that_a_newer_process_only_passed_over_is_refused_as_well():
    table = told().table
    with a_newer_process():
        table.update(Ledgers(table).keeper.skip(0, 10**6, NOW_MS))
    with pytest.raises(StateVersionError, match="the progress of a partition has version 2"):
        Ledgers(table)


def test_an_entry_that_a_newer_version_shaped_otherwise_is_refused_as_newer_and_not_as_unreadable():
    for prefix in (PROGRESS + b"0", ACCOUNT + bytes(18), LEDGER + bytes(18), LEVEL_ISSUE + bytes(2), b"default|a|b"):
        with pytest.raises(StateVersionError, match="has version 9"):
            Ledgers({prefix: b'{"version": 9, "shaped": "otherwise"}'})
