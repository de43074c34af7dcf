"""`hegui run`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import click

from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.settings import Settings

ROLES = ("evaluator", "state", "sweeper")


@click.command()
@config_option
@click.option(
    "--role",
    type=click.Choice([*ROLES, "all"]),
    default="all",
    show_default=True,
    help="Which part to run; all: one process each.",
)
@click.option("--parent", type=int, hidden=True, help="End when this process is no longer the parent.")
def command(config_file: Path | None, role: str, parent: int | None) -> None:
    """Run the daemon until SIGTERM.

    The evaluator judges events; the state agents keep issues and write findings. Scale out by running more of either: Kafka
    shares the partitions among the members of a group. The sweeper, of which one is enough, finds what was ingested before an opt-out.
    """
    settings = settings_from(config_file)
    if parent is not None:
        _end_with(parent)
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
        elif role == "sweeper":
            from hegui.streams.sweep.daemon import run_sweeper

            run_in_loop(lambda stop: run_sweeper(settings, stop))
        else:
            from hegui.streams.state.daemon import run_state

            run_in_loop(lambda stop: run_state(settings, stop))
    except KafkaError as error:
        log.critical("broker_refused", error=type(error).__name__, role=role)
        return 1
    log.info("stopped", role=role)
    return 0


def _supervise(config_file: Path | None) -> int:
    """Run every role as a child process. When one ends, end the others and return its code: the supervisor above starts anew.

    The evaluator ends first, so that the state agents still count its last sums.
    """
    import signal

    arguments = ["--config", str(config_file)] if config_file else []
    command_line = [sys.executable, "-m", "hegui.streams", "run", "--parent", str(os.getpid()), *arguments]
    children = {role: subprocess.Popen([*command_line, "--role", role], start_new_session=True) for role in ROLES}
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    # Either a signal or a child's end; there is no call that waits for any of them.
    while not stopping.wait(0.2) and all(child.poll() is None for child in children.values()):
        pass
    first = next((child for child in children.values() if child.poll() is not None), None)
    for child in children.values():
        if child.poll() is None:
            child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    return int(first.returncode if first is not None else max(child.returncode for child in children.values()))


def _end_with(parent: int) -> None:
    """Ask this process to end once its parent is gone: a role without its supervisor would hold its ports for ever."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)  # the kernel tells no thread that a parent ended
        os.kill(os.getpid(), signal.SIGTERM)

    import signal

    threading.Thread(target=look, name="parent", daemon=True).start()
