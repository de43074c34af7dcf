"""`hegui state`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from hegui.rules.policy import Policy
from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.errors import SettingsError


@click.group()
def command() -> None:
    """Look at what the state agents remember: ledgers and issues. No person is shown."""


@command.command()
@config_option
@click.option("--all", "everything", is_flag=True, help="Closed issues and progress too.")
def show(config_file: Path | None, everything: bool) -> None:
    """Print ledgers and open issues."""
    from hegui.streams.commands.pace import counts, pace, settlement
    from hegui.streams.policy_file import load_policy
    from hegui.streams.state.contents import IssueContent, LedgerContent, ProgressContent, contents, read_table
    from hegui.streams.state.ledger_text import ledger_lines, moment

    settings = settings_from(config_file)
    found = contents(asyncio.run(read_table(settings)))
    policy = Policy(version="none")
    try:
        policy, _ = load_policy(Path(settings.policy_file) if settings.policy_file else None)
    except SettingsError as error:
        click.echo(f"{error}; what it settles of exports that could not be counted is left out", err=True)
    ledgers = [one for one in found if isinstance(one, LedgerContent)]
    issues = [one for one in found if isinstance(one, IssueContent) and (everything or one.status != "closed")]
    click.echo(f"{len(ledgers)} export ledger{'' if len(ledgers) == 1 else 's'}: distinct persons in the legal year")
    for ledger in ledgers:
        click.echo(
            f"  {ledger.year}  {ledger.entity} (controller {ledger.controller})  "
            f"{counts(ledger)}  last export {moment(ledger.last_export_ms)}"
        )
        for sentence in pace(ledger):
            click.echo(f"        {sentence}")
        for problem, n in sorted(ledger.uncounted.items()):
            click.echo(f"        not counted: {n:,} export{'' if n == 1 else 's'}, {problem}")
        if ledger.uncounted:
            click.echo(f"        the last of them at {moment(ledger.uncounted_until_ms)}")
        for sentence in settlement(ledger, policy):
            click.echo(f"        {sentence}")
    for line in ledger_lines(found):
        click.echo(line)
    click.echo(f"{len(issues)} issue{'' if len(issues) == 1 else 's'}{'' if everything else ' not closed'}")
    for issue in issues:
        click.echo(
            f"  {issue.rule}  {issue.tenant}/{issue.service}  {issue.status}  episode {issue.episode}  "
            f"failures {issue.failures:,}  waived {issue.waived:,}  since {moment(issue.first_failure_ms)}  finding {issue.finding}"
        )
        if issue.reason:
            told = ", ".join(
                f"{key} {value:,}" if isinstance(value, int) and key != "year" else f"{key} {value}"
                for key, value in issue.evidence.items()
            )
            click.echo(f"        {issue.reason}: {told}")
    for one in found:
        if isinstance(one, ProgressContent):
            if one.lost:
                click.echo(
                    f"  partition {one.partition}: {one.lost:,} observation{'' if one.lost == 1 else 's'} of events up to "
                    f"{moment(one.lost_until_ms)} lost before they were counted: what passes in its ledgers is undecided"
                )
            if everything:
                click.echo(
                    f"  partition {one.partition}: counted to offset {one.last_offset}, event time {moment(one.watermark_ms)}"
                )


@command.command()
@config_option
def export(config_file: Path | None) -> None:
    """Print everything as JSON lines, for an auditor or a comparison: `kind` says what a line is."""
    from hegui.streams.state.contents import contents, read_table

    for one in contents(asyncio.run(read_table(settings_from(config_file)))):
        click.echo(msgspec.json.encode(one).decode())
