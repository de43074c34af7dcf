"""The tables of duties: complete, without contradiction, and with rules that exist; and the list of files beside them."""

import re
from pathlib import Path

import pytest

import hegui.rules
from hegui.rules.catalog import FAMILIES, find_rules

FOLDER = Path(hegui.rules.__file__).parent
README = (FOLDER / "README.md").read_text("utf-8")
COVERAGE = (FOLDER / "COVERAGE.md").read_text("utf-8")

COUNTS = {"L": 10, "E": 10, "T": 16, "O": 6, "M": 12, "X": 10, "F": 6, "A": 8}
DUTIES = {f"{letter}{number:02}" for letter, count in COUNTS.items() for number in range(1, count + 1)} - {"T04"}
"""T04 is part of O02."""

IDS = {rule.id for rule in find_rules() if rule.id[:3] in FAMILIES.values()}


def rows(page: str) -> dict[str, list[str]]:
    """Return number of the duty to the other cells."""
    found = re.findall(r"^\| ([A-Z]\d\d) \| (.*) \|$", page, re.MULTILINE)
    assert len({number for number, _ in found}) == len(found), "a duty stands twice in one table"
    return {number: cells.split(" | ") for number, cells in found}


COVERED, OPEN = rows(COVERAGE), rows(README)


def test_the_77_duties_are_all_there_and_no_others():
    assert len(DUTIES) == 77
    assert COVERED.keys() | OPEN.keys() == DUTIES


def test_every_rule_named_exists():
    named = set(re.findall(r"\b[A-Z]{3}\d{3}\b", COVERAGE))
    assert named <= IDS
    assert set(re.findall(rf"\b(?:{'|'.join(FAMILIES.values())})\d{{3}}\b", README)) <= IDS


@pytest.mark.parametrize("rule_id", sorted(IDS))
def test_every_rule_but_those_on_events_themselves_serves_a_duty(rule_id: str):
    serving = [number for number, (_, rules) in COVERED.items() if f"[{rule_id}](pages/{rule_id}.md)" in rules]
    assert bool(serving) is not rule_id.startswith("EVT"), f"name {rule_id} in rules/COVERAGE.md"


@pytest.mark.parametrize("number", sorted(DUTIES))
def test_both_tables_say_the_same_of_a_duty(number: str):
    if number in COVERED:
        assert COVERED[number][1].endswith(" in part") is (number in OPEN)
    if number in OPEN:
        duty, checked, why = OPEN[number]
        assert checked == ("in part" if number in COVERED else "no")
        assert why
        assert number not in COVERED or COVERED[number][0] == duty


def test_every_module_is_in_the_list_of_files():
    listed = README.partition("\n## ")[0]
    modules = {file.name for file in FOLDER.glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if name not in listed} == set()
    assert {name for name in re.findall(r"\w+\.py", listed) if name not in modules} == set()
