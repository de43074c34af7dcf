"""A rule pack, as it lies on the disk once it is installed: found, judged, chosen; and what is said of one that is wrong."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hegui.rules.cases import BASE_GENERATION, run_cases
from hegui.rules.catalog import FAMILIES, find_rules
from hegui.rules.core import Outcome, Rule, RuleError
from hegui.rules.events import Media
from hegui.rules.policy import Policy, PolicyError, RuleSelection, check_policy
from tests.rules.builders import an_engine, judged, rule_ids

SITE = Path(__file__).parent / "site"
PACK = "the rule pack example = example_rules of example-rules 1.0"
RULE = "example_rules/exm001_media_type_missing.py"


@pytest.fixture(autouse=True)
def no_pack_stays_imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "example_rules"]:
        del sys.modules[name]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pack's installation, on the path."""
    copy = tmp_path / "site"
    shutil.copytree(SITE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(copy)
    return copy


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Rule:
    monkeypatch.syspath_prepend(SITE)
    return next(rule for rule in find_rules() if rule.id == "EXM001")


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def test_a_pack_adds_its_rule_and_takes_none_away(installed: Rule) -> None:
    assert {rule.id[:3] for rule in find_rules()} == {*FAMILIES.values(), "EXM"}
    assert (installed.family, installed.stage, installed.severity) == ("example_rules", "sandbox", "low")
    assert run_cases(installed) == []


def test_the_command_finds_it_in_a_process_of_its_own() -> None:
    def ids(path: str) -> list[str]:
        done = subprocess.run(
            [Path(sys.executable).parent / "hegui", "rules", "list"],
            env={**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1"},
            capture_output=True,
            check=True,
        )
        return re.findall(r"^([A-Z]{3}\d{3}) ", done.stdout.decode(), re.MULTILINE)

    assert sorted([*ids(""), "EXM001"]) == ids(str(SITE))


def test_an_engine_judges_by_it_beside_the_others(installed: Rule) -> None:
    alone, together = an_engine(*(r for r in find_rules() if r is not installed)), an_engine(*find_rules())
    without, with_type = Media(mime_type=""), Media(mime_type="image/png")
    for media, outcome in ((without, Outcome.FAIL), (with_type, Outcome.PASS), (None, Outcome.INCONCLUSIVE)):
        event = replaced(media)
        results = judged(together, event)
        assert results.pop("EXM001").outcome is outcome
        assert results == judged(alone, event)
    assert together.rule_set != alone.rule_set


def replaced(media: Media | None) -> object:
    return replace(BASE_GENERATION, media=media)


def test_its_evidence_is_hashed_unless_the_rule_vouches_for_it(installed: Rule) -> None:
    result = judged(an_engine(installed), replaced(Media(mime_type="")))["EXM001"]
    assert re.fullmatch(r"sha256:[0-9a-f]{32}", str(result.evidence["delivery"]))


def test_a_policy_that_names_its_prefix_is_refused_where_the_pack_is_not_installed(installed: Rule) -> None:
    policy = Policy(version="1", rules=RuleSelection(select=("ALL", "EXM")))
    check_policy(policy, [(rule.id, rule.waivable) for rule in find_rules()])
    with pytest.raises(PolicyError, match=r"^rules\.select: no rule begins with 'EXM'; see `hegui rules list`$"):
        check_policy(policy, [(rule.id, rule.waivable) for rule in find_rules() if rule is not installed])


def refused(sentence: str) -> None:
    with pytest.raises(RuleError) as caught:
        find_rules()
    assert str(caught.value) == sentence
    assert "\n" not in sentence


def test_an_id_of_this_package_is_refused(site: Path) -> None:
    change(site / RULE, "EXM001", "LBL001")
    refused(
        "rule id LBL001 is used by hegui.rules.labelling.lbl001_explicit_label_missing and "
        "example_rules.exm001_media_type_missing; ids are never reused"
    )


def test_an_id_of_the_pack_used_twice_is_refused(site: Path) -> None:
    shutil.copy(site / RULE, site / "example_rules" / "exm002_copy.py")
    refused(
        "rule id EXM001 is used by example_rules.exm001_media_type_missing and example_rules.exm002_copy; ids are never reused"
    )


@pytest.mark.parametrize("prefix", sorted(FAMILIES.values()))
def test_a_prefix_of_this_package_is_refused(site: Path, prefix: str) -> None:
    change(site / RULE, "EXM001", f"{prefix}901")
    refused(f"{PACK} has a rule {prefix}901; {prefix} belongs to a family of hegui, take another prefix")


def test_a_pack_may_name_a_rule_of_this_package_without_making_it_its_own(site: Path) -> None:
    (site / "example_rules" / "borrowed.py").write_text(
        "from hegui.rules.labelling.lbl001_explicit_label_missing import explicit_label_missing\n", "utf-8"
    )
    assert rule_ids(find_rules()).count("LBL001") == 1


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("from hegui.rules import law\nlaw.NO_SUCH_CLAUSE\n", "AttributeError: module 'hegui.rules.law' has no"),
        ("raise OSError('one\\ntwo')\n", "OSError: one two"),
        ("def (\n", "SyntaxError: "),
    ],
    ids=["module", "clause", "two lines", "syntax"],
)
@pytest.mark.parametrize("module", ["__init__", "exm002_broken"])
def test_a_pack_that_cannot_be_imported_is_named(site: Path, module: str, code: str, what: str) -> None:
    (site / "example_rules" / f"{module}.py").write_text(code, "utf-8")
    with pytest.raises(RuleError) as caught:
        find_rules()
    assert re.fullmatch(
        rf"{re.escape(f'{PACK} cannot be loaded ({what}')}.*\); mend or uninstall it", str(caught.value)
    )


@pytest.mark.parametrize("entry", ["no_such_package", "example_rules:no_such_function", "example_rules:__doc__"])
def test_an_entry_that_leads_nowhere_is_named(site: Path, entry: str) -> None:
    change(site / "example_rules-1.0.dist-info" / "entry_points.txt", "= example_rules", f"= {entry}")
    named = re.escape(f"the rule pack example = {entry} of example-rules 1.0")
    with pytest.raises(RuleError, match=rf"^{named} cannot be loaded \(.*\); mend or uninstall it$"):
        find_rules()


def test_an_incomplete_rule_is_named_with_its_pack(site: Path) -> None:
    change(site / RULE, '"low"', '"lowest"')
    refused(
        f"{PACK} has a rule that is not well formed: example_rules.exm001_media_type_missing.media_type_missing: "
        "rule EXM001 severity 'lowest' is not one of critical, high, medium, low"
    )


def test_a_pack_without_rules_is_refused(site: Path) -> None:
    deeper = site / "example_rules" / "deeper"
    deeper.mkdir()
    (deeper / "__init__.py").touch()
    (site / RULE).rename(deeper / Path(RULE).name)
    refused(f"{PACK} has no rules; they stand in the modules directly in the package")


def test_a_function_that_returns_something_else_is_refused(site: Path) -> None:
    (site / "example_rules" / "__init__.py").write_text("def rules():\n    return ['EXM001']\n", "utf-8")
    change(site / "example_rules-1.0.dist-info" / "entry_points.txt", "= example_rules", "= example_rules:rules")
    refused(
        "the rule pack example = example_rules:rules of example-rules 1.0 returns something that is no rule; return what `@rule` made"
    )
