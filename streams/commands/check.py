"""`hegui check`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
import msgspec

from hegui.rules.core import Outcome
from hegui.streams.cli import EXIT_FAILED
from hegui.streams.commands.lines import read_lines
from hegui.streams.commands.options import policy_from, policy_option
from hegui.streams.decoders import decode_lines
from hegui.streams.errors import DecodeError
from hegui.streams.offline import Judged, judge, offline_engine

_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": "blue"}


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE|-...", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@policy_option
@click.option(
    "--optouts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Opt-outs as JSON lines; without it those rules stay inconclusive.",
)
@click.option(
    "--notices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rights holders' notices as JSON lines; without it those rules stay inconclusive.",
)
@click.option(
    "--filings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Model filings as JSON lines, beside those of the policy.",
)
@click.option(
    "--sources",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Condemned sources as JSON lines; without it that rule stays inconclusive.",
)
@click.option(
    "--suspensions",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Suspended users as JSON lines; without it that rule stays inconclusive.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON line per event.",
)
def command(
    files: tuple[str, ...],
    policy_file: Path | None,
    optouts: Path | None,
    notices: Path | None,
    filings: Path | None,
    sources: Path | None,
    suspensions: Path | None,
    form: str,
) -> None:
    """Judge events offline: JSON lines, one structured CloudEvent each.

    Exit code 1 when a rule fails or a line cannot be decoded. Without --policy the example policy is taken.
    """
    policy, rules = policy_from(policy_file)
    engine = offline_engine(policy, rules, optouts, notices, filings, sources, suspensions)
    if policy_file is None:
        click.echo("policy: the example policy (give your own with --policy)", err=True)
    clauses = {rule.id: rule for rule in engine.rules}
    events, bad = 0, 0
    outcomes: Counter[tuple[str, Outcome]] = Counter()
    for judged in judge(engine, decode_lines(read_lines(files))):
        events += 1
        if isinstance(judged, DecodeError):
            bad += 1
            click.echo(
                msgspec.json.encode({"error": judged.reason, "detail": judged.detail}).decode()
                if form == "json"
                else f"UNDECODABLE {judged}"
            )
            continue
        outcomes.update((rule, result.outcome) for rule, result in judged.results.items())
        if form == "json":
            click.echo(_json(judged))
        elif judged.violation is not None:
            _text(judged)
    failed = sum(n for (_, outcome), n in outcomes.items() if outcome is Outcome.FAIL)
    if form == "text":
        _summary(events, bad, outcomes, {rule_id: rule.title for rule_id, rule in clauses.items()})
    sys.exit(EXIT_FAILED if failed or bad else 0)


def _json(judged: Judged) -> str:
    made = judged.violation
    line = {
        "source": judged.envelope.source if made is None else made.source,
        "id": judged.envelope.id if made is None else made.id,
        "tenant": judged.envelope.tenant,
        "service": judged.service,
        "outcomes": {rule: result.outcome.value for rule, result in judged.results.items()},
        "violations": [] if made is None else list(made.results),
    }
    return msgspec.json.encode(line).decode()


def _text(judged: Judged) -> None:
    made = judged.violation
    assert made is not None
    for result in made.results:
        word = click.style(
            result.outcome.value.upper(),
            fg=_COLOURS[result.severity] if result.outcome is Outcome.FAIL else "cyan",
            bold=True,
        )
        click.echo(f"{word} {result.rule} {result.severity}  {made.service}  {made.source} {made.id}")
        click.echo(f"    {result.reason}  [{'; '.join(result.clauses)}]")
        if result.evidence:
            click.echo("    " + "  ".join(f"{key}={value}" for key, value in result.evidence.items()))
        if result.expired_waiver:
            click.echo(f"    waiver {result.expired_waiver} has ended and waives no longer")
        if result.waiver:
            click.echo(f"    waived by {result.waiver}")


def _summary(events: int, bad: int, outcomes: Counter[tuple[str, Outcome]], titles: dict[str, str]) -> None:
    click.echo(f"\n{events} events, {bad} undecodable")
    click.echo(f"{'rule':8} {'pass':>7} {'fail':>7} {'waived':>7} {'incon.':>7} {'error':>7} {'n/a':>7}  title")
    order = (Outcome.PASS, Outcome.FAIL, Outcome.WAIVED, Outcome.INCONCLUSIVE, Outcome.ERROR, Outcome.NOT_APPLICABLE)
    for rule_id in sorted({rule for rule, _ in outcomes}):
        click.echo(
            f"{rule_id:8} " + " ".join(f"{outcomes[rule_id, outcome]:7}" for outcome in order) + f"  {titles[rule_id]}"
        )
