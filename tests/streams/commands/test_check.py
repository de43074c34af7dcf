"""`hegui check` and `hegui coverage`: events judged offline."""

import json
import subprocess
import sys

import pytest

from hegui.streams import simulation
from tests.streams.example import DATA, EXAMPLES, NEEDS_NOTICES, NOT_IN_DATA, RULES, envelope

SOUND = simulation.encode(envelope("image")) + b"\n"
FAULTY = simulation.encode(envelope("LBL001", 1)) + b"\n"
GENERATION, INGEST = DATA / "generation.jsonl", DATA / "ingest.jsonl"
VERDICTS = ["--sources", DATA / "verdicts" / "sources.jsonl", "--suspensions", DATA / "verdicts" / "suspensions.jsonl"]
OPTOUTS, NOTICES = DATA / "optouts" / "optouts.jsonl", DATA / "notices" / "notices.jsonl"


def test_the_example_data_shows_every_rule_failing(hegui):
    ran = hegui("check", GENERATION, INGEST, "--optouts", OPTOUTS, "--notices", NOTICES, *VERDICTS, "--format", "json")
    assert ran.code == 1
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert len(lines) == 220
    failing = {v["rule"] for line in lines for v in line["violations"] if v["outcome"] == "fail"}
    assert failing == {rule.id for rule in RULES} - NOT_IN_DATA


def test_json_is_one_line_per_event_with_its_identity_and_every_outcome(hegui):
    ran = hegui("check", "-", "--format", "json", stdin=SOUND + FAULTY)
    sound, faulty = [json.loads(line) for line in ran.out.splitlines()]
    assert (sound["source"], sound["id"], sound["violations"]) == ("simulation/image-studio", "test-0", [])
    assert sound["outcomes"]["LBL001"] == "pass"
    assert sound["outcomes"]["OPT004"] == "not_applicable"
    assert faulty["outcomes"]["LBL001"] == "fail"
    assert [violation["rule"] for violation in faulty["violations"]] == ["LBL001"]
    assert ran.code == 1


def test_text_tells_the_failures_and_sums_them_up(hegui):
    ran = hegui("check", "-", stdin=SOUND + FAULTY)
    assert "FAIL LBL001 critical  image-studio  simulation/image-studio test-1" in ran.out
    assert "2 events, 0 undecodable" in ran.out
    assert "Labelling Measures art. 4" in ran.out
    assert "the example policy" in ran.err


def test_sound_events_leave_with_nought(hegui):
    assert hegui("check", "-", stdin=SOUND).code == 0
    assert hegui("check", "-", stdin=b"").code == 0


def test_a_waived_failure_is_told_and_is_no_failure(hegui):
    ran = hegui("check", "-", stdin=simulation.encode(envelope("waived")))
    assert "WAIVED MOD001" in ran.out
    assert "waived by W-1" in ran.out
    assert ran.code == 0


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_that_cannot_be_decoded_is_told_without_what_it_says(hegui, form):
    ran = hegui("check", "-", "--format", form, stdin=SOUND + b'{"secret words\n' + SOUND)
    assert ran.code == 1
    assert "not_json" in ran.out
    assert "secret" not in ran.out
    if form == "json":
        assert json.loads(ran.out.splitlines()[1]) == {"error": "not_json", "detail": "the value is not JSON"}


def test_without_opt_outs_those_rules_stay_undecided(hegui):
    line = simulation.encode(envelope("OPT001"))
    (without,) = [json.loads(s) for s in hegui("check", "-", "--format", "json", stdin=line).out.splitlines()]
    (given,) = [
        json.loads(s)
        for s in hegui("check", "-", "--format", "json", "--optouts", OPTOUTS, stdin=line).out.splitlines()
    ]
    assert (without["outcomes"]["OPT001"], given["outcomes"]["OPT001"]) == ("inconclusive", "fail")


def outcomes(ran):
    return [json.loads(line)["outcomes"] for line in ran.out.splitlines()]


@pytest.mark.parametrize("rule", sorted(NEEDS_NOTICES))
def test_without_notices_those_rules_stay_undecided(hegui, rule):
    line = simulation.encode(envelope(rule))
    (without,) = outcomes(hegui("check", "-", "--format", "json", stdin=line))
    (given,) = outcomes(hegui("check", "-", "--format", "json", "--notices", NOTICES, stdin=line))
    assert (without[rule], given[rule]) == ("inconclusive", "fail")


def test_filings_are_taken_from_a_file_too(hegui, tmp_path):
    line = simulation.encode(envelope("FIL001"))
    file = tmp_path / "filings.jsonl"
    file.write_text('{"model":"new-model","number":"Example-2","valid_from_ms":0}\n', "utf-8")
    (without,) = outcomes(hegui("check", "-", "--format", "json", stdin=line))
    (given,) = outcomes(hegui("check", "-", "--format", "json", "--filings", file, stdin=line))
    assert (without["FIL001"], given["FIL001"]) == ("fail", "pass")


def test_another_content_under_one_identity_is_told(hegui):
    again = FAULTY.replace(b"test-1", b"test-0")
    first, second, third = outcomes(hegui("check", "-", "--format", "json", stdin=SOUND + SOUND + again))
    assert (first["EVT004"], second["EVT004"], third["EVT004"]) == ("pass", "pass", "fail")


def test_results_hold_no_content(hegui):
    ran = hegui("check", GENERATION, INGEST, "--optouts", OPTOUTS)
    for word in ("人工智能", "refused.example", "k1:"):
        assert word not in ran.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check"], "Missing argument"),
        (["check", "/no/such/file"], "does not exist"),
        (["check", "-", "--format", "xml"], "'xml' is not one of"),
        (["check", "-", "--policy", "/no/policy.yaml"], "policy: /no/policy.yaml cannot be read"),
        (["check", "-", "--optouts", GENERATION], "generation.jsonl: line 1 is no opt-out; see `hegui schema optout`"),
        (["check", "-", "--notices", OPTOUTS], "optouts.jsonl: line 1 is no notice; see `hegui schema notice`"),
        (
            ["coverage", "--from", "-", "--filings", NOTICES],
            "notices.jsonl: line 1 is no filing; see `hegui schema filing`",
        ),
        (["coverage", "--from", "some.topic"], "give --config"),
    ],
)
def test_a_wrong_call_is_told_with_exit_code_2(hegui, arguments, told):
    ran = hegui(*arguments)
    assert ran.code == 2
    assert told in ran.err
    assert ran.out == ""


def test_an_opt_out_that_no_event_can_meet_is_told_without_its_subject(hegui, tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text('{"scheme":"user","subject":"alice@example.com","value":"deny","observed_at_ms":1}\n')
    ran = hegui("check", "-", "--optouts", file)
    assert ran.code == 2
    assert "mine.jsonl: line 1 has a subject that no event has (a user is named by a keyed hash" in ran.err
    assert "alice" not in ran.err


def test_coverage_tells_what_is_missing(hegui):
    ran = hegui("coverage", "--from", GENERATION)
    assert ran.code == 0
    assert ran.out.startswith("160 events")
    assert "LBL001   99%" in ran.out
    assert "add " in ran.out
    assert "100%  service" in ran.out


def test_coverage_with_all_facts_leaves_open_only_what_the_events_lack(hegui):
    facts = ["--optouts", OPTOUTS, "--notices", NOTICES, *VERDICTS]
    found = json.loads(hegui("coverage", "--from", INGEST, *facts, "--format", "json").out)
    assert {rule: counts["missing"] for rule, counts in found["rules"].items() if counts["missing"]} == {}


def test_coverage_as_json_counts_fields_and_rules(hegui):
    found = json.loads(hegui("coverage", "--from", "-", "--format", "json", stdin=SOUND + FAULTY + b"bad\n").out)
    assert found["events"] == {"GenerationEvent": 2}
    assert found["undecodable"] == {"not_json": 1}
    assert found["fields"]["GenerationEvent"]["explicit_label.present"] == 1
    assert found["fields"]["GenerationEvent"]["unlabelled_request"] == 0
    assert (found["rules"]["LBL001"]["pass"], found["rules"]["LBL001"]["fail"]) == (1, 1)
    assert found["rules"]["OPT004"]["missing"] == {}


def test_coverage_takes_a_policy_of_ones_own(hegui, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text((EXAMPLES / "policy.yaml").read_text("utf-8").replace("select: [ALL]", "select: [LBL]"), "utf-8")
    found = json.loads(hegui("coverage", "--from", GENERATION, "--policy", policy, "--format", "json").out)
    assert {rule[:3] for rule in found["rules"]} == {"LBL"}


def test_a_reader_that_goes_away_is_no_error():
    ran = subprocess.run(
        f"{sys.executable} -m hegui.streams check {GENERATION} {GENERATION} {GENERATION} --format json | head -n 1",
        shell=True,
        capture_output=True,
        timeout=30,
    )
    assert (ran.returncode, len(ran.stdout.splitlines())) == (0, 1)
    assert b"Traceback" not in ran.stderr
    assert b"BrokenPipe" not in ran.stderr


def test_coverage_tells_what_is_off_and_what_never_applies_and_why(hegui, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: a\nservices: [{name: chat-assistant, team: t, public_cn: false}]\nrules: {ignore: [AUT, LBL]}\n",
        "utf-8",
    )
    ran = hegui("coverage", "--from", GENERATION, "--policy", policy, "--format", "json")
    found = json.loads(ran.out)
    assert {rule[:3] for rule in found["off_by_policy"]} == {"AUT", "LBL"}
    assert found["never_applies"]["chat-assistant"]["MOD001"] == "public_cn is False in the registry"
    assert found["never_applies"]["chat-assistant"]["LIK001"] == "no event with likeness.kind face|voice"
    text = hegui("coverage", "--from", GENERATION, "--policy", policy).out
    assert "never: public_cn is False in the registry: " in text
    assert "Off by the policy" in text
