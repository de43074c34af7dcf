"""`/livez`, `/readyz` and `/metrics`."""

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from hegui.streams.http import HttpServer
from hegui.streams.metrics import EvaluatorMetrics
from tests.streams.example import RULES


class World:
    def __init__(self):
        self.loop = self.group = None
        self.scrapes = 0
        self.registry = CollectorRegistry()
        EvaluatorMetrics(self.registry).initialise(RULES, ["events"])
        self.server = HttpServer(
            self.registry,
            {"loop": lambda: self.loop},
            {"loop": lambda: self.loop, "group": lambda: self.group},
            self.scrape,
        )

    def scrape(self):
        self.scrapes += 1


@pytest.fixture
async def world():
    made = World()
    made.url = f"http://127.0.0.1:{await made.server.start('127.0.0.1', 0)}"
    async with ClientSession() as made.client:
        yield made
    await made.server.stop()
    await made.server.stop()


async def answer(world, path):
    async with world.client.get(world.url + path) as found:
        return found.status, await found.json()


async def test_when_all_is_well_both_probes_say_so(world):
    assert await answer(world, "/livez") == (200, {"ok": True, "reasons": {}})
    assert await answer(world, "/readyz") == (200, {"ok": True, "reasons": {}})


async def test_a_process_that_is_not_ready_says_why_and_stays_alive(world):
    world.group = "no partitions assigned yet"
    assert await answer(world, "/readyz") == (503, {"ok": False, "reasons": {"group": "no partitions assigned yet"}})
    assert (await answer(world, "/livez"))[0] == 200


async def test_a_process_that_stands_still_fails_both_probes(world):
    world.loop = "the loop stands still"
    assert (await answer(world, "/livez"))[0] == 503
    assert (await answer(world, "/readyz"))[1]["reasons"] == {"loop": "the loop stands still"}


async def test_a_scrape_gets_text_and_brings_the_gauges_up_to_date(world):
    async with world.client.get(world.url + "/metrics") as found:
        assert found.status == 200
        assert found.content_type == "text/plain"
        families = {family.name for family in parse_text(await found.text())}
    assert "compliance_evaluations" in families
    assert world.scrapes == 1


async def test_a_scraper_that_asks_for_openmetrics_gets_it(world):
    accept = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"}
    async with world.client.get(world.url + "/metrics", headers=accept) as found:
        assert found.content_type == "application/openmetrics-text"
        body = await found.text()
    assert body.endswith("# EOF\n")
    assert "compliance_dead_letters" in {family.name for family in parse_openmetrics(body)}


async def test_nothing_else_is_served(world):
    async with world.client.get(world.url + "/") as found:
        assert found.status == 404


async def test_an_address_that_is_taken_is_an_error(world):
    other = HttpServer(CollectorRegistry(), {}, {})
    with pytest.raises(OSError, match="address already in use"):
        await other.start("127.0.0.1", int(world.url.rpartition(":")[2]))
    await other.stop()
