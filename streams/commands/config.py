"""`hegui config`."""

from __future__ import annotations

from pathlib import Path

import click

from hegui.streams.commands.options import config_option
from hegui.streams.dead_letters import sealer
from hegui.streams.policy_file import load_policy
from hegui.streams.settings import PREFIX, describe, load_settings


@click.group()
def command() -> None:
    """Check the settings and the policy."""


@command.command()
@config_option
def check(config_file: Path | None) -> None:
    """Check settings and policy without connecting to anything. One sentence and exit code 2 for a mistake."""
    settings = load_settings(config_file)
    sealer(settings.dead_letters.public_key)
    policy, rules = load_policy(Path(settings.policy_file) if settings.policy_file else None)
    click.echo(f"settings: good, broker {settings.kafka.bootstrap_servers}")
    click.echo(
        f"policy: good, version {policy.version}, {len(policy.services)} services, {len(policy.waivers)} waivers, {len(rules)} rules on"
    )


@command.command()
def keys() -> None:
    """List every key of the settings with its default and meaning."""
    for key, default, meaning in describe():
        click.echo(f"{key} = {default}")
        click.echo(f"    {meaning}  [{PREFIX}{key.upper().replace('.', '__')}]")
