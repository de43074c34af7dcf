"""`hegui coverage`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from hegui.rules.core import Outcome, Rule
from hegui.rules.events import Envelope, GenerationEvent, IngestEvent
from hegui.streams.commands.lines import read_lines, read_topic
from hegui.streams.commands.options import config_option, policy_from, policy_option, settings_from
from hegui.streams.decoders import decode_cloudevents, decode_lines
from hegui.streams.errors import DecodeError
from hegui.streams.offline import Coverage, all_fields, judge, offline_engine

_TYPES: dict[str, type[msgspec.Struct]] = {"GenerationEvent": GenerationEvent, "IngestEvent": IngestEvent}


@click.command()
@click.option(
    "--from",
    "origin",
    required=True,
    metavar="FILE|TOPIC",
    help="A file of JSON lines (-: standard input), or a topic (needs --config).",
)
@policy_option
@click.option("--optouts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Opt-outs as JSON lines.")
@config_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=10_000, show_default=True, help="Latest records to read of a topic."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON.",
)
def command(
    origin: str, policy_file: Path | None, optouts: Path | None, config_file: Path | None, limit: int, form: str
) -> None:
    """Show which fields your events carry, which rules stay inconclusive, and what to add.

    The first thing a new deployment needs: point it at a sample of your events.
    """
    coverage = Coverage()
    if origin == "-" or Path(origin).is_file():
        envelopes = decode_lines(read_lines([origin]))
        policy, rules = policy_from(policy_file)
    else:
        if config_file is None:
            raise click.UsageError(f"{origin!r} is no file; to read it as a topic, give --config")
        settings = settings_from(config_file)
        policy, rules = policy_from(policy_file or (Path(settings.policy_file) if settings.policy_file else None))
        envelopes = _of_topic(read_topic(settings, origin, limit))
    for judged in judge(offline_engine(policy, rules, optouts), envelopes):
        coverage.add(judged)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_report(coverage, rules)), indent=2).decode())
    else:
        _text(coverage, rules)


def _of_topic(records: list[tuple[bytes, list[tuple[str, bytes]]]]) -> Iterator[Envelope | DecodeError]:
    for value, headers in records:
        try:
            yield from decode_cloudevents(value, headers)
        except DecodeError as error:
            yield error


def _report(coverage: Coverage, rules: tuple[Rule, ...]) -> dict[str, object]:
    return {
        "events": coverage.events,
        "undecodable": coverage.undecodable,
        "fields": {
            kind: {field: coverage.fields.get((kind, field), 0) / total for field in all_fields(_TYPES[kind])}
            for kind, total in coverage.events.items()
        },
        "rules": {
            rule.id: {
                **{outcome.value: coverage.outcomes.get((rule.id, outcome), 0) for outcome in Outcome},
                "missing": {what: n for (rule_id, what), n in coverage.missing.items() if rule_id == rule.id},
            }
            for rule in rules
        },
    }


def _text(coverage: Coverage, rules: tuple[Rule, ...]) -> None:
    total = sum(coverage.events.values())
    click.echo(f"{total} events" + "".join(f", {n} {kind}" for kind, n in sorted(coverage.events.items())))
    for reason, n in sorted(coverage.undecodable.items()):
        click.echo(f"{n} undecodable: {reason}")
    click.secho("\nRules: of the events they apply to, how many could be decided", bold=True)
    decided_by = (Outcome.PASS, Outcome.FAIL, Outcome.WAIVED)
    for rule in rules:
        decided = sum(coverage.outcomes.get((rule.id, outcome), 0) for outcome in decided_by)
        unclear = coverage.outcomes.get((rule.id, Outcome.INCONCLUSIVE), 0)
        if not decided + unclear:
            click.echo(f"  {rule.id}     -   no event it applies to")
            continue
        share = f"{int(100 * decided / (decided + unclear)):3}%"  # rounded down: 100 % means every one
        click.echo(f"  {rule.id}  {click.style(share, fg='green' if not unclear else 'yellow')}   {rule.title}")
        lacking = sorted(
            ((n, what) for (rule_id, what), n in coverage.missing.items() if rule_id == rule.id), reverse=True
        )
        for n, what in lacking[:3]:
            click.echo(f"             add {what}  ({n} events)")
    click.secho("\nFields: share of events that carry them", bold=True)
    for kind, count in sorted(coverage.events.items()):
        click.echo(f"  {kind}")
        for field in all_fields(_TYPES[kind]):
            carried = coverage.fields.get((kind, field), 0) / count
            click.echo(
                f"    {click.style(f'{int(100 * carried):3}%', fg='green' if carried == 1 else 'yellow' if carried else 'red')}  {field}"
            )
