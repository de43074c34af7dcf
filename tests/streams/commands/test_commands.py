"""The other commands: rules, schema, config, simulate, help."""

import json

import pytest

from hegui.rules.catalog import find_rules
from hegui.streams.cli import COMMANDS
from hegui.streams.decoders import decode_lines
from hegui.streams.errors import DecodeError
from hegui.streams.settings import describe
from tests.streams.example import EXAMPLES

WORDS = [[name] for name in COMMANDS] + [
    ["rules", "list"],
    ["rules", "show"],
    ["rules", "test"],
    ["config", "check"],
    ["config", "keys"],
    ["alerts", "test"],
    ["optouts", "import"],
    ["optouts", "fetch"],
    ["optouts", "lookup"],
    ["optouts", "stats"],
    ["optouts", "export"],
    ["state", "show"],
    ["state", "export"],
]


def test_help_lists_every_command_with_a_line_of_its_own(hegui):
    ran = hegui("--help")
    assert ran.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in ran.out
    assert "never certifies compliance" in ran.out


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_every_command_explains_itself(hegui, words):
    ran = hegui(*words, "--help")
    assert ran.code == 0
    assert "hegui " + " ".join(words) in ran.out.splitlines()[0]
    short = hegui(*words, "-h")
    assert (short.code, short.err) == (0, "")
    assert short.out == ran.out


def test_the_version_is_told(hegui):
    assert hegui("--version").out.startswith("hegui, version ")


def test_an_unknown_command_is_told_with_exit_code_2(hegui):
    ran = hegui("chekc")
    assert ran.code == 2
    assert "No such command 'chekc'" in ran.err


def test_rules_are_listed_as_text_and_json(hegui):
    rules = find_rules()
    text = hegui("rules", "list").out
    rows = json.loads(hegui("rules", "list", "--format", "json").out)
    assert [row["id"] for row in rows] == [rule.id for rule in rules]
    assert all(rule.id in text and rule.title_zh in text for rule in rules)
    assert rows[0].keys() >= {"id", "family", "title", "title_zh", "severity", "stage", "on", "basis"}


def test_a_rule_is_shown_by_its_id_in_any_case(hegui):
    ran = hegui("rules", "show", "lbl001")
    assert "When it fires" in ran.out
    assert ran.code == 0


def test_an_unknown_rule_is_told(hegui):
    ran = hegui("rules", "show", "XYZ999")
    assert (ran.code, "there is no rule 'XYZ999'" in ran.err) == (2, True)


def test_the_rules_own_cases_pass_here(hegui):
    ran = hegui("rules", "test")
    assert (ran.code, ran.out.endswith(" 0 wrong\n")) == (0, True)
    assert hegui("rules", "test", "LBL001").code == 0


def test_a_case_that_comes_out_otherwise_is_told_with_exit_code_1(hegui, monkeypatch):
    from hegui.rules.core import Outcome

    rule = find_rules()[0]
    monkeypatch.setattr("hegui.streams.commands.rules.run_cases", lambda r: [(r.cases[0], Outcome.ERROR)])
    ran = hegui("rules", "test", rule.id)
    assert ran.code == 1
    assert f"{rule.id} {rule.cases[0].name}: error, should be" in ran.out


def test_rule_pages_are_written(hegui, tmp_path):
    assert hegui("rules", "pages", tmp_path / "new").code == 0
    assert {file.stem for file in (tmp_path / "new").iterdir()} == {rule.id for rule in find_rules()} | {"README"}


def test_schemas_are_printed(hegui):
    assert json.loads(hegui("schema").out)["asyncapi"] == "3.0.0"
    assert json.loads(hegui("schema", "--config", EXAMPLES / "hegui.toml").out)["channels"]
    assert json.loads(hegui("schema", "optout").out)["$defs"]
    assert "finding" in json.loads(hegui("schema", "--format", "jsonschema").out)


def test_an_unknown_content_is_told(hegui):
    ran = hegui("schema", "pictures")
    assert (ran.code, "it is one of coverage_gap" in ran.err) == (2, True)


def test_good_settings_and_policy_are_told(hegui):
    ran = hegui("config", "check", "--config", EXAMPLES / "hegui.toml")
    assert ran.code == 0
    assert "settings: good" in ran.out
    assert "policy: good, version example-1, 10 services, 1 waivers" in ran.out


def test_the_settings_file_can_be_named_by_the_environment(hegui, monkeypatch):
    monkeypatch.setenv("HEGUI_CONFIG", str(EXAMPLES / "hegui.toml"))
    ran = hegui("config", "check")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "settings: kafka.bootstrap_servers is not set"),
        ("[kafka]\nbootstrap_servers = 'a:1'\n[dead_letters]\npublic_key = 'x'\n", "dead_letters.public_key"),
        ("policy_file = 'none.yaml'\n[kafka]\nbootstrap_servers = 'a:1'\n", "policy: "),
    ],
)
def test_a_mistake_is_one_sentence_on_standard_error_with_exit_code_2(hegui, tmp_path, text, told):
    (tmp_path / "hegui.toml").write_text(text, "utf-8")
    ran = hegui("config", "check", "--config", tmp_path / "hegui.toml")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert told in ran.err


def checked(hegui, tmp_path, policy):
    (tmp_path / "policy.yaml").write_text(policy, "utf-8")
    settings = f"policy_file = '{tmp_path / 'policy.yaml'}'\n[kafka]\nbootstrap_servers = 'a:1'\n"
    (tmp_path / "hegui.toml").write_text(settings, "utf-8")
    return hegui("config", "check", "--config", tmp_path / "hegui.toml")


def test_every_mistake_of_a_policy_is_a_line_of_its_own(hegui, tmp_path):
    ran = checked(hegui, tmp_path, "version: a\nservces: []\nservices: [{name: s, team: t, role: maker}]\n")
    assert (ran.code, ran.out) == (2, "")
    unknown, role = ran.err.splitlines()
    assert "did you mean `services`?" in unknown
    assert "services[0].role (s)" in role


WAIVER = """
version: a
services: [{name: s, team: t}]
waivers:
  - id: old
    scope: LOC@default/s
    reason: accepted until the move
    ticket: T-1
    owner: A
    approver: B
    valid_from: 2025-01-01T00:00:00+08:00
    valid_to: 2025-06-01T00:00:00+08:00
"""


def test_what_may_surprise_in_a_waiver_is_noted(hegui, tmp_path):
    ran = checked(hegui, tmp_path, WAIVER)
    assert (ran.code, ran.err) == (0, "")
    ended, spared = [line for line in ran.out.splitlines() if line.startswith("note: ")]
    assert "the waiver old has ended" in ended
    assert "does not cover LOC001, LOC002" in spared


def test_every_key_is_listed_with_its_variable(hegui):
    out = hegui("config", "keys").out
    for key, default, _ in describe():
        assert f"{key} = {default}\n" in out
    assert "[HEGUI_KAFKA__BOOTSTRAP_SERVERS]" in out


def simulated(hegui, tmp_path, *arguments):
    file = tmp_path / "events.jsonl"
    ran = hegui("simulate", "--output", file, "--count", 200, *arguments)
    assert (ran.code, ran.out) == (0, "")
    events = list(decode_lines(file.read_bytes().splitlines()))
    assert not any(isinstance(event, DecodeError) for event in events)
    return events


def test_synthetic_events_are_written_to_a_file(hegui, tmp_path):
    events = simulated(hegui, tmp_path)
    assert len({event.id for event in events}) == 200
    assert {type(event).__name__ for event in events} == {"GenerationEnvelope", "IngestEnvelope"}


def test_the_same_seed_gives_the_same_events_but_for_the_times(hegui, tmp_path):
    one, two, other = (simulated(hegui, tmp_path, "--seed", seed) for seed in (1, 1, 2))
    services = [[event.data.service for event in events] for events in (one, two, other)]
    assert services[0] == services[1] != services[2]


def test_sound_traffic_passes_the_check(hegui, tmp_path):
    simulated(hegui, tmp_path, "--faults", "0")
    assert hegui("check", tmp_path / "events.jsonl").code == 0


def test_synthetic_events_go_to_standard_output_too(hegui):
    assert len(hegui("simulate", "--output", "-", "--count", 5).out.splitlines()) == 5


def test_an_endless_file_is_refused(hegui, tmp_path):
    ran = hegui("simulate", "--output", tmp_path / "x")
    assert (ran.code, "--output needs --count" in ran.err) == (2, True)
