"""`hegui coverage`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from hegui.rules.catalog import find_rules
from hegui.rules.core import Outcome, Rule
from hegui.rules.events import STREAMS, Envelope, GenerationEvent, IngestEvent
from hegui.rules.guards import GUARDS
from hegui.rules.policy import Policy, Service
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
@click.option(
    "--notices",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Rights holders' notices as JSON lines.",
)
@click.option(
    "--filings", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Model filings as JSON lines."
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
    origin: str,
    policy_file: Path | None,
    optouts: Path | None,
    notices: Path | None,
    filings: Path | None,
    sources: Path | None,
    suspensions: Path | None,
    config_file: Path | None,
    limit: int,
    form: str,
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
    rules = tuple(rule for rule in rules if rule.on in STREAMS)  # those on ledgers judge no event
    for judged in judge(offline_engine(policy, rules, optouts, notices, filings, sources, suspensions), envelopes):
        coverage.add(judged)
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_report(coverage, policy, rules)), indent=2).decode())
    else:
        _text(coverage, policy, rules)


def _of_topic(records: list[tuple[bytes, list[tuple[str, bytes]]]]) -> Iterator[Envelope | DecodeError]:
    for value, headers in records:
        try:
            yield from decode_cloudevents(value, headers)
        except DecodeError as error:
            yield error


def _report(coverage: Coverage, policy: Policy, rules: tuple[Rule, ...]) -> dict[str, object]:
    return {
        "events": coverage.events,
        "undecodable": coverage.undecodable,
        "fields": {
            kind: {field: coverage.fields.get((kind, field), 0) / total for field in all_fields(_TYPES[kind])}
            for kind, total in coverage.events.items()
        },
        "rules": {rule.id: _counts(coverage, rule, None) for rule in rules},
        "off_by_policy": _off(rules),
        "services": {
            service: {rule.id: _counts(coverage, rule, service) for rule in rules if coverage.counts(rule.id, service)}
            for service in coverage.services()
        },
        "never_applies": {
            service: {
                rule: reason for reason, found in _never(coverage, policy, rules, service).items() for rule in found
            }
            for service in coverage.services()
        },
    }


def _off(rules: tuple[Rule, ...]) -> list[str]:
    """Return the rules that judge events and that the policy leaves out."""
    on = {rule.id for rule in rules}
    return [rule.id for rule in find_rules() if rule.id not in on and rule.on in STREAMS]


def _never(coverage: Coverage, policy: Policy, rules: tuple[Rule, ...], service: str) -> dict[str, list[str]]:
    """Return why rules applied to none of a service's events, and which rules: an entry of the registry, or what no event was."""
    entry = next((one for one in policy.services if one.name == service), None)
    found: dict[str, list[str]] = {}
    for rule in rules:
        counts = coverage.counts(rule.id, service)
        if counts and counts.keys() == {Outcome.NOT_APPLICABLE}:
            found.setdefault(_reason(rule, entry), []).append(rule.id)
    return found


def _reason(rule: Rule, entry: Service | None) -> str:
    guards = GUARDS[rule.on]
    for name in guards.of_service:
        value = None if entry is None else getattr(entry, name)
        if name in rule.when and value is not None and value not in rule.when[name]:
            return f"{name} is {value} in the registry"
    wanted = [
        f"{name} {'|'.join(sorted(map(str, values)))}" for name, values in rule.when.items() if name in guards.of_event
    ]
    return "no event with " + ", ".join(wanted) if wanted else "before the law, or another rule's"


def _counts(coverage: Coverage, rule: Rule, service: str | None) -> dict[str, object]:
    counts = coverage.counts(rule.id, service)
    found: dict[str, object] = {outcome.value: counts.get(outcome, 0) for outcome in Outcome}
    return {**found, "missing": coverage.lacked(rule.id, service)}


def _decided(counts: dict[Outcome, int]) -> int:
    return sum(counts.get(outcome, 0) for outcome in (Outcome.PASS, Outcome.FAIL, Outcome.WAIVED))


def _share(decided: int, unclear: int) -> str:
    share = f"{int(100 * decided / (decided + unclear)):3}%"  # rounded down: 100 % means every one
    return click.style(share, fg="yellow" if unclear else "green")


def _text(coverage: Coverage, policy: Policy, rules: tuple[Rule, ...]) -> None:
    total = sum(coverage.events.values())
    click.echo(f"{total} events" + "".join(f", {n} {kind}" for kind, n in sorted(coverage.events.items())))
    for reason, n in sorted(coverage.undecodable.items()):
        click.echo(f"{n} undecodable: {reason}")
    click.secho("\nRules: of the events they apply to, how many could be decided", bold=True)
    for rule in rules:
        counts = coverage.counts(rule.id)
        unclear = counts.get(Outcome.INCONCLUSIVE, 0)
        if not _decided(counts) + unclear:
            click.echo(f"  {rule.id}     -   no event it applies to")
            continue
        click.echo(f"  {rule.id}  {_share(_decided(counts), unclear)}   {rule.title}")
        for what, n in list(coverage.lacked(rule.id).items())[:3]:
            click.echo(f"             add {what}  ({n} events)")
    click.secho(
        "\nServices: rules that could not be decided for some of their events, and what was lacking most often",
        bold=True,
    )
    for service in coverage.services():
        judged = {rule: coverage.counts(rule.id, service) for rule in rules}
        open_ = {rule: counts for rule, counts in judged.items() if counts.get(Outcome.INCONCLUSIVE)}
        applied = sum(1 for counts in judged.values() if _decided(counts) or counts.get(Outcome.INCONCLUSIVE))
        click.echo(f"  {service}: {applied} rules apply, {len(open_)} not always decided")
        for rule, counts in open_.items():
            what = next(iter(coverage.lacked(rule.id, service)))
            click.echo(f"    {rule.id}  {_share(_decided(counts), counts[Outcome.INCONCLUSIVE])}   {what}")
        for reason, found in _never(coverage, policy, rules, service).items():
            click.echo(f"    never: {reason}: {' '.join(found)}")
    if off := _off(rules):
        click.secho("\nOff by the policy", bold=True)
        click.echo("  " + " ".join(off))
    click.secho("\nFields: share of events that carry them", bold=True)
    for kind, count in sorted(coverage.events.items()):
        click.echo(f"  {kind}")
        for field in all_fields(_TYPES[kind]):
            carried = coverage.fields.get((kind, field), 0) / count
            click.echo(
                f"    {click.style(f'{int(100 * carried):3}%', fg='green' if carried == 1 else 'yellow' if carried else 'red')}  {field}"
            )
