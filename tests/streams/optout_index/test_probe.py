"""The probe as it is installed, and its source as plain Python: both answer alike."""

import importlib.util
import shutil
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hegui.rules.fact_tables import OptOut
from hegui.rules.hosts import site_of, site_of_origin
from hegui.streams.optout_index import probe as installed
from hegui.streams.optout_index.build import _add
from hegui.streams.optout_index.keys import hash_of, hashes_of, seeds_of

SOURCE = Path(installed.__file__).with_name("probe.py")
SEEDS = seeds_of(7)


def from_source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("probe_from_source", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULES = {"installed": installed, "source": from_source()}
PLACES = ["filter", "memory"]


@pytest.fixture(params=MODULES.values(), ids=MODULES)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


def knowing(module: ModuleType, records: list[OptOut], place: str) -> Any:
    """A probe that knows records from a filter or from memory."""
    import numpy as np

    filter_, keys, gates = np.zeros(1 << 10, np.uint8), {}, {}
    for record in records:
        key, *names = hashes_of(record, SEEDS)
        if place == "filter":
            _add(filter_, 10, np.array([key, *filter(None, names)], np.uint64))
        else:
            keys[key] = (b"",)
            gates.update(dict.fromkeys(filter(None, names), 1))
    return module.Probe(10, memoryview(filter_.tobytes()), SEEDS, keys, gates)


def test_it_is_compiled_where_it_can_be_and_from_the_source_that_is_there():
    compiled = Path(installed.__file__)
    can_be = bool(shutil.which("cc")) and Path(sysconfig.get_path("include"), "Python.h").exists()
    assert (compiled.suffix != ".py") == can_be, "make setup"
    assert compiled.stat().st_mtime >= SOURCE.stat().st_mtime, "make setup"


@pytest.mark.parametrize("place", PLACES)
def test_what_is_known_is_told_from_what_is_not(module: ModuleType, place: str):
    records = [
        OptOut("content", "ab" * 32, "deny", 1),
        OptOut("domain", "a.example.com", "deny", 1),
        OptOut("url", "www.example.org/a", "deny", 1),
        OptOut("work", "isbn:9783161484100", "deny", 1),
    ]
    probe = knowing(module, records, place)
    assert probe.maybe("content", "ab" * 32)
    assert probe.maybe("work", "isbn:9783161484100")
    assert not probe.maybe("content", "cd" * 32)
    assert not probe.maybe("user", "ab" * 32)
    assert probe.maybe_addressed("www.example.org")
    assert not probe.maybe_addressed("example.org")
    for content, url, unspoken in (
        (None, None, True),
        ("ab" * 32, None, False),
        ("ab" * 32, "https://example.net/", False),
        ("cd" * 32, "https://example.net/", True),
        ("cd" * 32, "https://example.net", True),
        (None, "https://b.example.com/", False),
        (None, "http://example.com", False),
        (None, "https://www.example.org/other", False),
        (None, "https://example.org:8443/", False),
        (None, "https://EXAMPLE.net/", False),
        (None, "192.0.2.1/a", False),
        (None, "", False),
    ):
        for _ in range(2):
            assert probe.is_unspoken(content, url) is unspoken, (content, url)


def test_answers_are_kept_until_something_is_said(module: ModuleType, monkeypatch: pytest.MonkeyPatch):
    gates: dict[int, int] = {}
    probe = module.Probe(6, module.NO_FILTER, SEEDS, {}, gates)
    assert probe.is_unspoken(None, "https://www.example.com/a")
    gates[hash_of(("domain", "example.com"), SEEDS)] = 1
    assert probe.is_unspoken(None, "https://www.example.com/b")
    probe.changed()
    assert not probe.is_unspoken(None, "https://www.example.com/a")
    asked: list[str] = []
    monkeypatch.setattr(module, "site_of_origin", lambda origin: asked.append(origin) or "example.net")
    monkeypatch.setattr(module, "MAX_ORIGINS", 3)
    for _ in range(2):
        for number in range(4):
            assert probe.is_unspoken(None, f"https://{number}.example.net:8443/")
    assert len(asked) == 8  # at the fourth one, the three before are forgotten


def test_a_scheme_or_subject_that_cannot_be_is_a_mistake_of_the_caller(module: ModuleType):
    probe = knowing(module, [], "memory")
    with pytest.raises(KeyError):
        probe.maybe("planet", "x")
    with pytest.raises(UnicodeEncodeError):
        probe.is_unspoken("\ud800", None)


HOSTS = st.text("ab.:0-é", max_size=12) | st.sampled_from(["a.example.com", "example.com", "com", "1.2.3.4"])
PAGES = st.builds(lambda front, host, rest: front + host + rest, st.sampled_from(["https://", "http://", ""]), HOSTS, st.text("/?#@a", max_size=3))  # fmt: skip
RECORDS = st.builds(
    OptOut, st.sampled_from(["domain", "url", "content"]), HOSTS.filter(bool), st.just("deny"), st.just(1)
)


@pytest.mark.parametrize("place", PLACES)
@given(st.lists(RECORDS, max_size=4), st.lists(st.tuples(st.none() | HOSTS, st.none() | PAGES), max_size=6))
def test_compiled_or_not_the_answers_are_the_same(place: str, records: list[OptOut], asked: list[Any]):
    one, other = (knowing(module, records, place) for module in MODULES.values())
    for content, url in asked:
        assert one.is_unspoken(content, url) is other.is_unspoken(content, url)
    for record in records:
        assert one.maybe(*record.key())
        assert other.maybe(*record.key())
        assert record.scheme != "content" or not one.is_unspoken(record.subject, None)


@given(PAGES | st.from_regex(r"https?://[a-b1.:-]*", fullmatch=True))
@example("https://" + "a" * 289 + ".b")
@example("https://" + "a" * 290 + ".b")
@example("https://" + "a" * 291 + ".b")
def test_the_site_of_an_origin_is_that_of_its_host(url: str):
    from hegui.rules.hosts import host_of

    site = site_of_origin(url)
    assert knowing(MODULES["source"], [], "memory")._site_of(url) == site
    assert site is None or site == site_of(host_of(url)) == site_of(host_of(url + "/x:@y"))
