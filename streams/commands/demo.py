"""`hegui demo`."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from hegui.streams.cli import EXIT_FAILED, EXIT_USAGE
from hegui.streams.demo import Seen, daemon, demo_settings, run_demo, screen, summary
from hegui.streams.embedded import EmbeddedBroker, EmbeddedBrokerUnavailable
from hegui.streams.logs import configure
from hegui.streams.settings import Settings


@click.command()
@click.option("--seconds", type=click.FloatRange(min=10), default=45.0, show_default=True, help="How long to run.")
@click.option("--rate", type=click.FloatRange(min=1), default=300.0, show_default=True, help="Events a second.")
@click.option("--keep", is_flag=True, help="Keep running until Ctrl-C.")
@click.option("--broker", metavar="HOST:PORT", help="A Kafka of your own instead of the embedded broker.")
def command(seconds: float, rate: float, keep: bool, broker: str | None) -> None:
    """Run broker, daemon and simulator for a minute and show what hegui sees. No Docker, no Java.

    The embedded broker is for the demo only; production and the tests of the promises run on Apache Kafka.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hegui-demo-")))
        if broker is None:
            try:
                broker = stack.enter_context(EmbeddedBroker()).bootstrap
            except EmbeddedBrokerUnavailable as error:
                click.echo(str(error), err=True)
                sys.exit(EXIT_USAGE)
        seen = Seen()
        ports = (_port(9464), _port(9465), _port(9466))
        settings, file = demo_settings(folder, broker, ports)
        configure(settings.log)
        seen.urls = [f"http://{settings.http.host}:{port}" for port in ports[:2]]
        click.echo(f"broker {broker}; metrics at {seen.urls[0]}/metrics (evaluator) and {seen.urls[1]}/metrics (state)")
        child = stack.enter_context(daemon(file, folder / "daemon.log"))
        try:
            asyncio.run(
                _show(settings, seen, child, rate=rate, seconds=None if keep else seconds, faulty=seconds * 0.55)
            )
        except TimeoutError as error:
            click.echo(f"{error}; the daemon's log ends with:\n{_tail(folder / 'daemon.log')}", err=True)
            sys.exit(EXIT_FAILED)
        if child.poll() is not None:
            click.echo(
                f"the daemon ended with code {child.returncode}; its log ends with:\n{_tail(folder / 'daemon.log')}",
                err=True,
            )
            sys.exit(EXIT_FAILED)
        good = summary(seen, click.echo)
    sys.exit(0 if good else EXIT_FAILED)


async def _show(
    settings: Settings, seen: Seen, child: subprocess.Popen[bytes], *, rate: float, seconds: float | None, faulty: float
) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    watching = asyncio.ensure_future(_watch(child, stop))
    showing = asyncio.ensure_future(_screen(seen) if sys.stdout.isatty() else _lines(seen))
    try:
        await run_demo(settings, seen, rate=rate, faulty_seconds=faulty, seconds=seconds, stop=stop)
    finally:
        showing.cancel()
        watching.cancel()
        await asyncio.gather(showing, watching, return_exceptions=True)


async def _watch(child: subprocess.Popen[bytes], stop: asyncio.Event) -> None:
    """Stop when the daemon ends by itself: what its ports answered then would be somebody else's."""
    while child.poll() is None:  # noqa: ASYNC110 - a thread that waits for the child could not be ended
        await asyncio.sleep(0.2)
    stop.set()


async def _screen(seen: Seen) -> None:
    from rich.live import Live

    with Live(screen(seen), auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(0.5)
            live.update(screen(seen), refresh=True)


async def _lines(seen: Seen) -> None:
    shown: set[str] = set()
    while True:
        await asyncio.sleep(3)
        failed = sum(counts.get("fail", 0) for counts in seen.outcomes().values())
        passed = sum(counts.get("pass", 0) for counts in seen.outcomes().values())
        click.echo(
            f"{seen.total('compliance_events_total'):8,.0f} events  {passed:9,} pass  {failed:6,} fail"
            f"  lag {seen.total('compliance_consumer_lag_records'):5,.0f}  open issues {seen.total('compliance_open_issues'):3.0f}"
            f"  {'(cause mended)' if seen.mended else ''}"
        )
        for uid, made in list(seen.findings.items()):
            mark = f"{uid}{made['status']}"
            if mark not in shown:
                shown.add(mark)
                basis = "; ".join(made["compliance"]["requirements"])
                click.echo(f"         {made['status']:10} {made['compliance']['control']} {made['message']} [{basis}]")


def _port(wanted: int) -> int:
    """Return the wanted port of this machine, or a free one when it is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return int(probe.getsockname()[1])
    return wanted


def _tail(file: Path) -> str:
    return "\n".join(file.read_text("utf-8", "replace").splitlines()[-8:])
