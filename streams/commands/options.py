"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hegui.streams.policy_file import load_policy
from hegui.streams.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """Add `--config FILE`."""
    option = click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path),
        envvar="HEGUI_CONFIG",
        help="Settings file (TOML). The environment (HEGUI_...) wins over it.",
    )
    return option(function)


def policy_option(function: F) -> F:
    """Add `--policy FILE`."""
    return click.option(
        "--policy", "policy_file", type=click.Path(path_type=Path), help="The deployer's policy (YAML)."
    )(function)


def settings_from(config_file: Path | None) -> Settings:
    """Load the settings and set up logging; raises SettingsError."""
    from hegui.streams.logs import configure

    settings = load_settings(config_file)
    configure(settings.log)
    return settings


def policy_from(policy_file: Path | None) -> tuple[Any, Any]:
    """Load the policy and its rules; without a file, the example policy that matches the example data."""
    return load_policy(
        policy_file if policy_file is not None else Path(__file__).parents[1] / "examples" / "policy.yaml"
    )
