"""The files of tests/data are what their script makes, and show what they are meant to show."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hegui.rules.core import Outcome
from hegui.rules.facts import Notice, OptOut
from hegui.streams.decoders import decode_lines
from tests.data import make
from tests.streams.example import ALSO, DATA, NOT_IN_DATA, POLICY, RULES, engine, reference


def test_the_script_reproduces_the_files(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "tests.data.make", str(tmp_path)], check=True, cwd=DATA.parents[1], timeout=30
    )
    made = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
    assert made == {Path(name) for name in make.files()}
    for name in made:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_only_event_files_lie_directly_in_the_folder():
    assert {file.name for file in DATA.glob("*.jsonl")} == {"generation.jsonl", "ingest.jsonl"}


@pytest.mark.parametrize(("name", "count"), [("generation.jsonl", 160), ("ingest.jsonl", 60)])
def test_every_line_is_an_event_one_second_after_the_last(name, count):
    events = list(decode_lines((DATA / name).read_bytes().splitlines()))
    times = [round(event.time.timestamp() * 1000) for event in events]
    assert times == [make.START_MS + number * 1000 for number in range(count)]


def test_every_rule_fails_once_and_most_events_are_sound():
    events = [
        e
        for name in ("generation.jsonl", "ingest.jsonl")
        for e in decode_lines((DATA / name).read_bytes().splitlines())
    ]
    counts, _ = reference(engine(), events)
    failures = {rule: n for (_, rule, outcome), n in counts.items() if outcome is Outcome.FAIL}
    twice = set().union(*ALSO.values())
    assert failures == {rule.id: 1 + (rule.id in twice) for rule in RULES if rule.id not in NOT_IN_DATA}
    failing = [event for event in events if any(o is Outcome.FAIL for _, _, o in reference(engine(), [event])[0])]
    assert len(failing) * 2 < len(events)
    assert {outcome for _, _, outcome in counts} >= {Outcome.WAIVED, Outcome.INCONCLUSIVE, Outcome.PASS}


def test_the_opt_outs_are_records_of_the_topic_and_older_than_the_events():
    lines = (DATA / "optouts" / "optouts.jsonl").read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=OptOut) for line in lines]
    assert {record.scheme for record in found} == {"user", "domain", "work"}
    assert all(record.observed_at_ms < make.START_MS for record in found)


def test_the_notices_are_records_of_the_topic_and_older_than_the_grace_time():
    lines = (DATA / "notices" / "notices.jsonl").read_bytes().splitlines()
    found = [msgspec.json.decode(line, type=Notice) for line in lines]
    assert {record.scheme for record in found} == {"work", "holder", "fingerprint"}
    assert all(record.received_at_ms < make.START_MS - POLICY.notice_grace_hours * 3_600_000 for record in found)
