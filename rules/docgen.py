"""Makes a rule's page from the rule. The pages are generated, committed and checked fresh; nobody edits them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hegui.rules.core import Outcome, Rule, Situation
from hegui.rules.fields_read import fields_read

_SECTION = re.compile(r"^(Why|False positives|When it fires):\s*", re.MULTILINE)


def page(rule: Rule) -> str:
    """Return the Markdown page of a rule: what, why, law, runbook, cases."""
    sections = _sections(rule.doc)
    lines = [
        f"# {rule.id} {rule.title}",
        "",
        f"{rule.title_zh}",
        "",
        "| family | event | severity | stage | may be waived |",
        "|---|---|---|---|---|",
        f"| {rule.family} | `{rule.on.__name__}` | {rule.severity} | {rule.stage} | {'yes' if rule.waivable else 'no'} |",
        "",
        "## Legal basis",
        "",
        "| clause | instrument | in force from | confidence | source |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.id} | {c.instrument}（{c.instrument_zh}） | {c.in_force_from} | {c.confidence} | <{c.source}> |"
        for c in rule.basis
    ]
    lines += [
        "",
        "Judges events of any time."
        if rule.any_time
        else "Events before the earliest of these days are `not_applicable`.",
        "",
        "## Why",
        "",
        sections.get("Why", ""),
    ]
    if rule.of is Situation:
        lines += ["", "It asks for the service and not for the single event: all events of a service come out alike."]
    if rule.when or rule.needs:
        lines += ["", "## When it applies", ""]
        lines += [f"- `{guard}` is {_values(values)}" for guard, values in rule.when.items()]
        lines += [f"- the facts `{need}` are ready" for need in rule.needs]
        lines += ["", "An unknown value makes the rule `inconclusive`, never inapplicable."]
    if fields := fields_read(rule):
        lines += [
            "",
            "## Fields it reads",
            "",
            ", ".join(f"`{name}`" for name in fields) + " ([events.md](../events.md))",
        ]
    lines += ["", "## When it fires", "", sections.get("When it fires", "")]
    if "False positives" in sections:
        lines += ["", "## False positives", "", sections["False positives"]]
    lines += ["", "## Cases", "", "| case | outcome |", "|---|---|"]
    order = list(Outcome)
    lines += [
        f"| {case.name} | `{case.outcome}` |" for case in sorted(rule.cases, key=lambda c: order.index(c.outcome))
    ]
    return "\n".join(lines) + "\n"


def index(rules: Iterable[Rule]) -> str:
    """Return the Markdown table of all rules."""
    lines = ["# Rules", "", "| rule | title | 标题 | family | severity | stage |", "|---|---|---|---|---|---|"]
    lines += [
        f"| [{r.id}]({r.id}.md) | {r.title} | {r.title_zh} | {r.family} | {r.severity} | {r.stage} |" for r in rules
    ]
    return "\n".join(lines) + "\n"


def _values(values: Iterable[object]) -> str:
    return " or ".join(
        f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in sorted(values, key=str)
    )


def _sections(doc: str) -> dict[str, str]:
    parts = _SECTION.split(doc)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
