"""The command `hegui`."""

from __future__ import annotations

import importlib
import sys

import click

from hegui.rules.core import RuleError
from hegui.streams.errors import SettingsError, TopicError

COMMANDS = {
    "alerts": "alerts",
    "check": "check",
    "config": "config",
    "coverage": "coverage",
    "demo": "demo",
    "optouts": "optouts",
    "rules": "rules",
    "run": "run",
    "schema": "schema",
    "simulate": "simulate",
    "state": "state",
    "topics": "topics",
}
"""Command to its module in `streams/commands/`, loaded when used: start-up stays quick."""

EXIT_FAILED = 1
EXIT_USAGE = 2


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"hegui.streams.commands.{COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="hegui", prog_name="hegui")
def cli() -> None:
    """Watch AI services and training pipelines for compliance with Chinese AI law while they run.

    hegui reports findings against stated checks; it never certifies compliance.
    """


def main() -> None:
    """Run the command; an operator's error is one sentence on standard error and exit code 2."""
    try:
        cli(standalone_mode=False)
    except (SettingsError, TopicError, RuleError) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_USAGE)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`): nothing is wrong.
        sys.stderr.close()
        sys.exit(0)
