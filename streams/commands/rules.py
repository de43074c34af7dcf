"""`hegui rules`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from hegui.rules.cases import run_cases
from hegui.rules.catalog import find_rules
from hegui.rules.core import Rule
from hegui.rules.docgen import index, page
from hegui.rules.eventdoc import events_page
from hegui.rules.fields_read import fields_read
from hegui.streams.cli import EXIT_FAILED


@click.group()
def command() -> None:
    """List, show and test the rules."""


@command.command("list")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON.",
)
def list_(form: str) -> None:
    """List all rules."""
    rules = find_rules()
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode([_row(rule) for rule in rules]), indent=2).decode())
        return
    for rule in rules:
        click.echo(f"{rule.id}  {rule.severity:8}  {rule.stage:8}  {rule.family:13}  {rule.title}")
        click.echo(f"{'':8}{rule.title_zh}  [{'; '.join(clause.id for clause in rule.basis)}]")


@command.command()
@click.argument("rule_id", metavar="ID")
def show(rule_id: str) -> None:
    """Show one rule: law, reason, runbook, cases."""
    click.echo(page(_find(rule_id)))


@command.command()
@click.argument("rule_ids", metavar="[ID]...", nargs=-1)
def test(rule_ids: tuple[str, ...]) -> None:
    """Run the rules' own cases on this machine. Exit code 1 when one comes out otherwise."""
    wrong = total = 0
    for rule in [_find(rule_id) for rule_id in rule_ids] if rule_ids else find_rules():
        total += len(rule.cases)
        for case, outcome in run_cases(rule):
            wrong += 1
            click.echo(f"{rule.id} {case.name}: {outcome}, should be {case.outcome}")
    click.echo(f"{total} cases, {wrong} wrong")
    sys.exit(EXIT_FAILED if wrong else 0)


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def pages(folder: Path) -> None:
    """Write the page of every rule and their index into FOLDER, and the page of the event contract beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = find_rules()
    for rule in rules:
        (folder / f"{rule.id}.md").write_text(page(rule), "utf-8")
    (folder / "README.md").write_text(index(rules), "utf-8")
    (folder.parent / "events.md").write_text(events_page(rules), "utf-8")
    click.echo(f"{len(rules)} pages")


def _find(rule_id: str) -> Rule:
    found = next((rule for rule in find_rules() if rule.id == rule_id.upper()), None)
    if found is None:
        raise click.UsageError(f"there is no rule {rule_id!r}; see `hegui rules list`")
    return found


def _row(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "family": rule.family,
        "title": rule.title,
        "title_zh": rule.title_zh,
        "severity": rule.severity,
        "stage": rule.stage,
        "on": rule.on.__name__,
        "fields": list(fields_read(rule)),
        "basis": [
            {
                "clause": c.id,
                "instrument": c.instrument,
                "in_force_from": c.in_force_from,
                "confidence": c.confidence,
                "source": c.source,
            }
            for c in rule.basis
        ],
    }
