"""`hegui optouts` on a real Apache Kafka: what is imported is what the facts feed takes, and importing again changes nothing."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from hegui.rules.facts import FactStatus, FactTable
from hegui.streams.broker import producer
from hegui.streams.facts_feed import FactsFeed, declared_tables
from hegui.streams.optouts.normal_form import record_key
from hegui.streams.optouts.store import TopicStore, statements
from hegui.streams.settings import Settings, load_settings
from tests.streams.commands.conftest import hegui

__all__ = ["hegui"]

pytestmark = pytest.mark.broker

DATA = Path(__file__).parents[1] / "data" / "optouts"


@pytest.fixture
def config(kafka, tmp_path) -> Path:
    prefix = f"t{uuid4().hex[:8]}"
    names = (
        "violations",
        "observations",
        "findings",
        "dead_letters",
        "coverage_gaps",
        "optouts",
        "filings",
        "notices",
        "waivers",
    )
    topics = "".join(f'{name} = "{prefix}.{name}"\n' for name in names)
    inputs = f'[[topics.inputs]]\nname = "{prefix}.ingest"\n'
    file = tmp_path / "hegui.toml"
    file.write_text(
        f'[kafka]\nbootstrap_servers = "{kafka.bootstrap}"\ngroup_id = "{prefix}"\n[topics]\n{topics}{inputs}'
    )
    return file


def fed(settings: Settings, refused: int = 0) -> FactTable:
    """Read the topic as the evaluator does, which buries some of its records."""
    tables = declared_tables(settings)

    async def read() -> None:
        buried: list[object] = []
        feed = FactsFeed(settings, tables, asyncio.get_running_loop().time, lambda *record: buried.append(record))
        running = asyncio.create_task(feed.run())
        try:
            await asyncio.wait_for(feed.loaded.wait(), 60)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert len(buried) == refused

    asyncio.run(read())
    assert tables["optouts"].status is FactStatus.READY
    return tables["optouts"]


def test_what_is_imported_is_what_the_evaluator_reads(hegui, config):
    where = ["--config", str(config)]
    assert hegui("optouts", "lookup", "example.com", *where).code == 2, "the topic does not exist yet"
    assert hegui("topics", "create", *where).code == 0
    settings = load_settings(config)
    files = sorted(DATA.iterdir())
    first = hegui("optouts", "import", *files, *where)
    assert first.code == 0, first.err
    assert f"written to topic {settings.topics.optouts}: " in first.out
    once = statements(TopicStore(settings))
    assert all(record_key(record) == key for key, record in once.items())
    assert hegui("optouts", "import", *files, *where).code == 0
    assert statements(TopicStore(settings)) == once
    table = fed(settings)
    assert {record_key(record) for record in table} == set(once)
    assert hegui("optouts", "lookup", "https://example.com/a/b", *where).out.startswith("training: no, ")
    assert f"{len(once):,} statements" in hegui("optouts", "stats", *where).out
    assert len(hegui("optouts", "export", *where).out.splitlines()) == len(once)


def test_a_tombstone_takes_a_statement_out(hegui, config, tmp_path):
    where = ["--config", str(config)]
    hegui("topics", "create", *where)
    (tmp_path / "list.csv").write_text("scheme,subject,value\ndomain,example.com,deny\n")
    hegui("optouts", "import", tmp_path / "list.csv", *where)
    settings = load_settings(config)
    (key,) = statements(TopicStore(settings))

    async def remove() -> None:
        client = producer(settings.kafka)
        await client.start()
        await client.send_and_wait(settings.topics.optouts, None, key=key)
        await client.send_and_wait(settings.topics.optouts, b"not a record", key=b"other")
        await client.stop()

    assert hegui("optouts", "lookup", "example.com", *where).out.startswith("training: no, ")
    asyncio.run(remove())
    assert hegui("optouts", "lookup", "example.com", *where).out.startswith("training: unknown, ")


def test_of_two_ends_of_one_statement_the_longer_no_and_the_shorter_yes_stand_on_the_topic(hegui, config, tmp_path):
    where = ["--config", str(config)]
    hegui("topics", "create", *where)
    head = "scheme,subject,value,observed_at,valid_to\n"
    rows = {
        ("refused.example", "deny"): ("", "2026-10-01T00:00:00Z"),
        ("allowed.example", "allow"): ("2026-10-01T00:00:00Z", ""),
    }
    for (name, value), ends in rows.items():
        for end in ends:
            (tmp_path / "list.csv").write_text(f"{head}domain,{name},{value},2026-09-01T00:00:00Z,{end}\n")
            hegui("optouts", "import", tmp_path / "list.csv", "--source", name, *where)
    at = ["--at", "2026-11-01T00:00:00Z", *where]
    assert hegui("optouts", "lookup", "refused.example", *at).out.startswith("training: no, ")
    assert hegui("optouts", "lookup", "allowed.example", *at).out.startswith("training: unknown, ")


def test_a_yes_that_left_its_list_is_taken_back_on_the_topic(hegui, config, tmp_path):
    where = ["--config", str(config)]
    hegui("topics", "create", *where)
    row = "domain,example.com,allow,2026-09-01T00:00:00Z\n"
    for text, word in ((row, "yes"), ("", "unknown"), ("", "unknown"), (row, "yes")):
        (tmp_path / "list.csv").write_text("scheme,subject,value,observed_at\n" + text)
        hegui("optouts", "import", tmp_path / "list.csv", *where)
        assert hegui("optouts", "lookup", "example.com", *where).out.startswith(f"training: {word}, ")
    settings = load_settings(config)
    assert [record.value for record in statements(TopicStore(settings)).values()].count("unknown") == 1


def test_a_public_suffix_and_a_wildcard_are_buried(hegui, config):
    where = ["--config", str(config)]
    hegui("topics", "create", *where)
    settings = load_settings(config)
    taken = [b'{"scheme":"domain","subject":"example.co.uk","value":"allow","observed_at_ms":1}']
    buried = [
        b'{"scheme":"domain","subject":"co.uk","value":"allow","observed_at_ms":1}',
        b'{"scheme":"url_prefix","subject":"example.com/*","value":"deny","observed_at_ms":1}',
    ]

    async def send() -> None:
        client = producer(settings.kafka)
        await client.start()
        for number, value in enumerate((*taken, *buried)):
            await client.send_and_wait(settings.topics.optouts, value, key=b"%d" % number)
        await client.stop()

    asyncio.run(send())
    assert [record.subject for record in fed(settings, len(buried))] == ["example.co.uk"]
