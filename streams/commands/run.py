"""`hegui run`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import click

from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.settings import Settings

ROLES = ("evaluator", "state")


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice([*ROLES, "all"]),
    default="all",
    show_default=True,
    help="Which part to run; all: one process each.",
)
def command(config_file: Path | None, role: str) -> None:
    """Run the daemon until SIGTERM.

    The evaluator judges events; the state agents keep issues and write findings. Scale out by running more of either: Kafka
    shares the partitions among the members of a group.
    """
    settings = settings_from(config_file)
    if role == "all":
        sys.exit(_supervise(config_file))
    sys.exit(run_role(settings, role))


def run_role(settings: Settings, role: str) -> int:
    """Run one role in this process; return its exit code."""
    import structlog
    from aiokafka.errors import KafkaError

    from hegui.streams.daemon import run_in_loop

    log = structlog.get_logger()
    try:
        if role == "evaluator":
            from hegui.streams.daemon import run_evaluator

            run_in_loop(lambda stop: run_evaluator(settings, stop))
        else:
            from hegui.streams.state.daemon import run_state

            run_in_loop(lambda stop: run_state(settings, stop))
    except KafkaError as error:
        log.critical("broker_refused", error=type(error).__name__, role=role)
        return 1
    log.info("stopped", role=role)
    return 0


def _supervise(config_file: Path | None) -> int:
    """Run every role as a child process. When one ends, end the others and return its code: the supervisor above starts anew."""
    import signal
    from types import FrameType

    arguments = ["--config", str(config_file)] if config_file else []
    children = {
        role: subprocess.Popen([sys.executable, "-m", "hegui.streams", "run", "--role", role, *arguments])
        for role in ROLES
    }

    def forward(number: int, _: FrameType | None) -> None:
        for child in children.values():
            if child.poll() is None:
                child.send_signal(number)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    while all(child.poll() is None for child in children.values()):
        time.sleep(0.2)  # a child's end is the only thing to wait for, and there is no call that waits for any of two
    first = next(child for child in children.values() if child.poll() is not None)
    forward(signal.SIGTERM, None)
    for child in children.values():
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
    return int(first.returncode)
