"""Logs are JSON lines on standard error, and content never reaches them."""

import json
import logging
import sys

import pytest
import structlog

from hegui.streams.logs import MAX_TEXT, REDACTED_KEYS, configure, redact
from hegui.streams.settings import LogSettings

MARKER = "marker-13912345678"


@pytest.fixture
def lines(capsys):
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def start(level="info", form="json"):
        configure(LogSettings(level=level, format=form))
        return structlog.get_logger()

    def read():
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield start, read
    root.handlers[:], level = before[0], before[1]
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("key", sorted(REDACTED_KEYS))
@pytest.mark.parametrize("value", [MARKER, MARKER.encode(), [MARKER], {"a": MARKER}, 13912345678])
def test_fields_that_could_hold_content_are_redacted_whatever_their_value(key, value):
    found = redact(None, "info", {"event": "x", key: value})
    assert "13912345678" not in json.dumps(found)
    assert found[key].startswith("sha256:")


@pytest.mark.parametrize("key", ["prompt", "output", "url", "user_key", "password", "value", "headers"])
def test_the_keys_that_matter_are_among_them(key):
    assert key in REDACTED_KEYS


def test_bytes_and_long_texts_are_cut_to_their_hash_under_any_name():
    found = redact(None, "info", {"event": "x", "topic": MARKER.encode(), "reason": "y" * (MAX_TEXT + 1)})
    assert found["topic"].startswith("sha256:")
    assert found["reason"].startswith("sha256:")


def test_short_codes_and_numbers_stay_as_they_are():
    event = {"event": "dead_letter_sent", "reason": "not_json", "offset": 7, "ready": True, "topics": ["a"]}
    assert redact(None, "info", dict(event)) == event


def test_content_inside_a_nested_value_is_redacted_too():
    found = redact(None, "info", {"event": "x", "detail": {"prompt": MARKER}, "rows": [MARKER.encode()]})
    assert MARKER not in repr(found)


def test_every_line_is_json_with_event_level_and_time(lines):
    start, read = lines
    log = start()
    log.info("facts_ready", fact="optouts", records=3)
    log.warning("commit_delayed", error="X")
    first, second = read()
    assert (first["event"], first["level"], first["records"]) == ("facts_ready", "info", 3)
    assert first["timestamp"].endswith("Z")
    assert second["level"] == "warning"


def test_nothing_goes_to_standard_output(lines, capsys):
    start, _ = lines
    start().error("x")
    assert capsys.readouterr().out == ""


def test_less_than_the_stated_level_is_left_out(lines):
    start, read = lines
    log = start("error")
    log.warning("x")
    log.error("y")
    assert [line["event"] for line in read()] == ["y"]


def test_the_warnings_of_libraries_come_as_json_too_and_their_chatter_does_not(lines):
    start, read = lines
    start()
    logging.getLogger("aiokafka.consumer").info("chatter")
    logging.getLogger("aiokafka.consumer").warning("Heartbeat failed: %s", "x")
    (line,) = read()
    assert (line["event"], line["logger"], line["level"]) == ("Heartbeat failed: x", "aiokafka.consumer", "warning")


def broken():
    raise ValueError(f"cannot read {MARKER}")


def test_an_exception_of_a_library_is_one_line_of_json_that_says_where_it_came_from(lines):
    start, read = lines
    start()
    try:
        broken()
    except ValueError:
        logging.getLogger("aiokafka").exception("listener failed")
    (line,) = read()
    assert "ValueError" in line["exception"]
    assert "in broken" in line["exception"]
    assert MARKER not in json.dumps(line)


def test_an_exception_is_logged_without_what_it_quotes(lines):
    start, read = lines
    log = start()
    try:
        broken()
    except ValueError:
        log.exception("state_step_failed")
    (line,) = read()
    assert "ValueError" in line["exception"]
    assert MARKER not in json.dumps(line)


def test_text_for_people_has_no_colours_when_not_on_a_terminal(lines, capsys):
    start, _ = lines
    assert not sys.stderr.isatty()
    start(form="console").info("facts_ready", fact="optouts")
    told = capsys.readouterr().err
    assert "facts_ready" in told
    assert "\x1b" not in told
