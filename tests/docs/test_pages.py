"""The rule pages are what the rules say now, and the book of law holds nothing that no rule rests on."""

from pathlib import Path

import pytest

import hegui.rules
from hegui.rules import law
from hegui.rules.catalog import find_rules
from hegui.rules.core import Rule
from hegui.rules.docgen import index, page
from tests.rules.builders import a_rule

PAGES = Path(hegui.rules.__file__).parent / "pages"
RULES = find_rules()


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
def test_the_page_of_a_rule_is_fresh(rule: Rule) -> None:
    assert (PAGES / f"{rule.id}.md").read_text("utf-8") == page(rule), "run `make pages`"


def test_the_index_of_pages_is_fresh() -> None:
    assert (PAGES / "README.md").read_text("utf-8") == index(RULES), "run `make pages`"


def test_there_are_no_pages_of_rules_that_are_gone() -> None:
    assert {path.name for path in PAGES.iterdir()} == {"README.md", *(f"{rule.id}.md" for rule in RULES)}


@pytest.mark.parametrize("clause", [pytest.param(clause, id=clause.id) for clause in law.all_clauses()])
def test_every_clause_is_cited_by_a_rule(clause: law.Clause) -> None:
    assert any(clause in rule.basis for rule in RULES), "cite it or remove it from rules/law.py"


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
def test_a_page_has_its_sections_and_no_empty_one(rule: Rule) -> None:
    lines = page(rule).splitlines()
    sections = [line for line in lines if line.startswith("## ")]
    assert sections[0] == "## Legal basis"
    assert sections[1] == "## Why"
    assert "## When it fires" in sections
    assert sections[-1] == "## Cases"
    assert all(lines[lines.index(section) + 2].strip() for section in sections)
    assert all(f"| {case.name} | `{case.outcome}` |" in lines for case in rule.cases)
    assert all(f"| {clause.id} |" in page(rule) for clause in rule.basis)


def test_guards_and_facts_are_told_on_the_page() -> None:
    guarded = page(a_rule(when={"exported": {True}, "modality": {"image", "audio"}}, needs=("optouts",)))
    assert "- `exported` is `true`\n- `modality` is `audio` or `image`\n- the facts `optouts` are ready\n" in guarded
    assert "## When it applies" not in page(a_rule())


def test_false_positives_have_a_section_only_where_there_are_any() -> None:
    doc = "Title.\n\nWhy: a.\n\nFalse positives: a renderer.\n\nWhen it fires:\n1. b"
    assert "## False positives\n\na renderer.\n" in page(a_rule(doc=doc))
    assert "## False positives" not in page(a_rule())


def test_a_rule_that_may_not_be_waived_says_so() -> None:
    assert "| `GenerationEvent` | high | stable | no |" in page(a_rule(waivable=False))
    assert "| `GenerationEvent` | high | stable | yes |" in page(a_rule())
