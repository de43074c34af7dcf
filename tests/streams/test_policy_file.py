"""The policy from YAML: sentences for mistakes, and a watch that sees every change."""

import os
import re
from datetime import datetime

import pytest

from hegui.streams.errors import SettingsError
from hegui.streams.policy_file import EMPTY, PolicyWatch, in_force, load_policies, load_policy
from hegui.streams.policy_mistakes import PolicyMistakesError, read_policy
from tests.streams.example import EXAMPLES

EXAMPLE = (EXAMPLES / "policy.yaml").read_text("utf-8")


@pytest.fixture
def load(tmp_path):
    def from_text(text: str):
        file = tmp_path / "policy.yaml"
        file.write_text(text, "utf-8")
        return load_policy(file)

    return from_text


def test_the_example_loads_with_every_stable_rule():
    policy, rules = load_policy(EXAMPLES / "policy.yaml")
    assert policy.version == "example-1"
    assert {service.name for service in policy.services} >= {"image-studio", "chat-assistant"}
    assert "LBL001" in {rule.id for rule in rules}


def test_without_a_file_the_policy_is_empty_and_all_rules_are_on():
    policy, rules = load_policy(None)
    assert policy == EMPTY
    assert rules


def test_a_policy_chooses_rules_and_their_severity(load):
    _, rules = load("version: v\nrules: {select: [LBL], ignore: [LBL002], override: {LBL001: {severity: low}}}")
    assert {rule.id[:3] for rule in rules} == {"LBL"}
    assert "LBL002" not in {rule.id for rule in rules}
    assert next(rule for rule in rules if rule.id == "LBL001").severity == "low"


@pytest.mark.parametrize(
    ("found", "replacement", "parts"),
    [
        ("version: example-1", "", ["the file", "missing required field `version`"]),
        ("version: example-1", "version: 1.0", ["version", "expected `str`, got `float`"]),
        ("version: example-1", "verson: example-1", ["verson"]),
        ("services:", "services: x\nservice:", ["services"]),
        ("    team: imaging\n", "", ["services[0]", "`team`"]),
        ("public_cn: true ", "public_cn: maybe ", ["services[0].public_cn"]),
        ("provider_code: 001191440300708461136T1XGW3", "provider_code: '123'", ["services[0].provider_code"]),
        ("entity: example-infrastructure", "entity: nobody", ["meter-reader", "'nobody'", "add it under `entities`"]),
        ("name: crawler", "name: image-studio", ["services", "image-studio", "twice"]),
        ("approver: approver@example.com", "approver: OWNER@example.com", ["waivers: W-1", "somebody else"]),
        ("valid_to: 2027-03-01", "valid_to: 2029-03-01", ["waivers: W-1", "longer than 366 days"]),
        ("valid_to: 2027-03-01", "valid_to: 2026-03-01", ["waivers: W-1", "ends before it begins"]),
        ("scope: MOD001@", "scope: MOD999@", ["waivers: W-1", "'MOD999'", "hegui rules list"]),
        ("scope: MOD001@", "scope: LOC004@", ["waivers: W-1", "LOC004", "may not be waived"]),
        ("scope: MOD001@default/chat-assistant", "scope: MOD001", ["waivers: W-1", "RULE@TENANT/SERVICE"]),
        ("@default/chat-assistant", "@default/nobody", ["waivers: W-1", "'nobody'", "services"]),
        ("passed: 962", "passed: 1962", ["model_tests", "example-model 7", "human passed 1962 of 1000"]),
        ("keywords: 12500", "keywords: many", ["services[0].safety_assets.keywords"]),
        ("training_switch: { offered: true, clicks: 2 }", "training_switch: { offerd: true }", ["offerd"]),
        ("select: [ALL]", "select: [XYZ]", ["rules.select", "'XYZ'", "hegui rules list"]),
        ("valid_from: 2026-11-01T00:00:00+08:00", "valid_from: 2026-11-01T00:00:00", ["waivers[0].valid_from"]),
        ("valid_from: 2026-11-01T00:00:00+08:00", "valid_from: 2026-11-01", ["waivers[0].valid_from"]),
        ("max_waiver_days: 366", "max_waiver_days: 9999", ["max_waiver_days", "366"]),
        ("services:", "services: [", ["not YAML", "line "]),
    ],
)
def test_a_mistake_is_told_in_one_sentence(load, found, replacement, parts):
    assert found in EXAMPLE
    with pytest.raises(SettingsError) as caught:
        load(EXAMPLE.replace(found, replacement, 1))
    told = str(caught.value)
    assert re.match(r"policy: [^\n]+$", told)
    for part in parts:
        assert part in told


@pytest.mark.parametrize("text", ["", "[]", "just words", "\x00", "a: &a [*a]"])
def test_what_is_no_policy_at_all_is_told_too(load, text):
    with pytest.raises(SettingsError, match=r"^policy: "):
        load(text)


def test_a_file_in_another_encoding_is_told(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_bytes(b"version: \xff\xff")
    with pytest.raises(SettingsError, match=r"policy\.yaml is not YAML"):
        load_policy(file)


def test_a_missing_file_is_told_with_its_path(tmp_path):
    with pytest.raises(SettingsError, match=r"nothing\.yaml cannot be read .*policy_file in the settings"):
        load_policy(tmp_path / "nothing.yaml")


def test_yaml_makes_no_objects(load):
    with pytest.raises(SettingsError, match=r"^policy: "):
        load("version: !!python/object/apply:os.getcwd []")


def test_the_watch_tells_each_change_once(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("version: a")
    watch = PolicyWatch(file)
    assert not watch.changed()
    file.write_text("version: bb")
    assert (watch.changed(), watch.changed()) == (True, False)


def test_the_watch_sees_a_link_that_is_swapped_to_a_file_of_the_same_size_and_time(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text("version: a")
        os.utime(tmp_path / name, (1, 1))
    (tmp_path / "policy.yaml").symlink_to("one")
    watch = PolicyWatch(tmp_path / "policy.yaml")
    (tmp_path / "link").symlink_to("two")
    (tmp_path / "link").rename(tmp_path / "policy.yaml")
    assert watch.changed()


def test_the_watch_sees_a_file_go_and_come_back(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("version: a")
    watch = PolicyWatch(file)
    file.unlink()
    assert (watch.changed(), watch.changed()) == (True, False)
    file.write_text("version: a")
    assert watch.changed()
    assert not PolicyWatch(None).changed()


def versions(folder, *texts):
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text, "utf-8")
    return load_policies(folder)


def test_a_folder_holds_versions_in_the_order_of_their_times(tmp_path):
    found = versions(
        tmp_path,
        "version: c\neffective_from: 2026-03-01T00:00:00+08:00",
        "version: a",
        "version: b\neffective_from: 2026-02-01T00:00:00+08:00",
    )
    (tmp_path / "notes.txt").write_text("no policy", "utf-8")
    assert [policy.version for policy, _ in found] == ["a", "b", "c"]
    moment = datetime.fromisoformat("2026-03-01T00:00:00+08:00").timestamp()
    assert [in_force(found, at)[0].version for at in (0.0, moment - 0.001, moment)] == ["a", "b", "c"]


def test_before_all_effective_times_the_first_version_is_in_force(tmp_path):
    found = versions(tmp_path, "version: b\neffective_from: 2026-02-01T00:00:00+08:00")
    assert in_force(found, 0.0)[0].version == "b"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ((), ["holds no .yaml file", "policy_file"]),
        (("version: a", "version: b"), ["a and b", "effective_from"]),
        (("version: a", "version: a\neffective_from: 2026-02-01T00:00:00+08:00"), ["a stands in two files"]),
        (("version: a", "version: ["), ["1.yaml is not YAML"]),
    ],
)
def test_versions_that_do_not_fit_together_are_refused(tmp_path, texts, words):
    with pytest.raises(SettingsError) as refused:
        versions(tmp_path, *texts)
    assert all(word in str(refused.value) for word in words)


def test_a_watched_folder_tells_of_new_and_removed_versions(tmp_path):
    versions(tmp_path, "version: a")
    watch = PolicyWatch(tmp_path)
    assert not watch.changed()
    (tmp_path / "b.yaml").write_text("version: b", "utf-8")
    assert watch.changed()
    (tmp_path / "b.yaml").unlink()
    assert watch.changed()
    assert not watch.changed()


def told(text: str) -> tuple[str, ...]:
    """All sentences about a policy."""
    with pytest.raises(PolicyMistakesError) as caught:
        read_policy("policy.yaml", text.encode(), [("LBL001", True)])
    return caught.value.sentences


THREE = """
version: a
servces: []
services:
  - {name: studio, team: t, role: maker}
  - {name: desk, team: t, public_cn: "yes"}
rules: {override: {LBL001: {severity: urgent}}}
"""


def test_every_mistake_of_the_schema_is_told_with_key_value_and_remedy():
    sentences = told(THREE)
    assert sentences == (
        "policy: the file: object contains unknown field `servces`; did you mean `services`?",
        "policy: services[0].role (studio): invalid enum value 'maker'; it is one of generator, propagator",
        "policy: services[1].public_cn (desk): expected `bool | null`, got `str` (it is 'yes'); see the commented example policy",
        "policy: rules.override[...].severity: invalid enum value 'urgent'; it is one of critical, high, low, medium",
    )


def test_the_first_mistake_stands_for_all_where_one_sentence_is_wanted(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text(THREE, "utf-8")
    with pytest.raises(
        SettingsError, match=r"did you mean `services`\? \(and 3 more: `hegui config check` names all\)$"
    ):
        load_policies(file)


def test_a_key_that_stands_twice_is_refused():
    (sentence,) = told("version: a\nservices: []\nservices: []\n")
    assert sentence == "policy: policy.yaml is not YAML (line 3: the key 'services' stands twice); correct it"
    (sentence,) = told("version: a\nservices:\n  - name: a\n    team: t\n    name: b\n")
    assert "line 5: the key 'name' stands twice" in sentence


@pytest.mark.parametrize("text", ["[]", "text", "", "1"])
def test_what_is_no_mapping_is_told(text):
    (sentence,) = told(text)
    assert sentence.startswith("policy: the file: expected `object`")
