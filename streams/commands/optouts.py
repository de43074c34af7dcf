"""`hegui optouts`."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import msgspec

from hegui.rules.fact_tables import OptOut
from hegui.streams.cli import EXIT_FAILED
from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.commands.optout_codes import iscc
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.ai_agents import TRAINING
from hegui.streams.optouts.explanation import Covering, explain
from hegui.streams.optouts.formats import FORMATS, format_of, read, site_of
from hegui.streams.optouts.importing import take_in
from hegui.streams.optouts.news import changes
from hegui.streams.optouts.normal_form import Reading, checked_ms, epoch_ms, hash_of
from hegui.streams.optouts.remarks import REASONS, Remark
from hegui.streams.optouts.report import Report, Row
from hegui.streams.optouts.scopes import Scopes, is_format
from hegui.streams.optouts.store import FileStore, Store, TopicStore, Written, default_file, statements

F = TypeVar("F", bound=Callable[..., Any])

MAX_SITES = 100
"""Pages that are read before what they said is written: the store is read once for all of them, and once more where a yes may be gone."""


@click.group()
def command() -> None:
    """Take in, look up and give out statements about training: opt-outs of sites, works, contents, holders and users.

    They go to the topic of opt-outs of the settings (--config or environment). Without a broker there they go to a file of JSON
    lines: --store FILE, else optouts.jsonl in the user's state folder.
    """


command.add_command(iscc)


def _where(function: F) -> F:
    """Add the options that say where statements are kept."""
    option = click.option(
        "--store", "store_file", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the topic."
    )
    return config_option(option(function))


def _how(function: F) -> F:
    """Add the options that say how statements are read."""
    agent = click.option(
        "--agent",
        "agents",
        multiple=True,
        default=("*",),
        show_default="the group for every crawler",
        help="Product token of a crawler of yours, as robots.txt names it; may be given several times.",
    )
    known = click.option(
        "--ai-agents",
        is_flag=True,
        help="Take what is said to known crawlers that collect for training (GPTBot, CCBot, ...) as said to yours, too.",
    )
    refused = click.option(
        "--refused", type=click.File("wb"), help="Write every refused row to this file, as JSON lines."
    )
    return agent(known(refused(function)))


def _store(config_file: Path | None, store_file: Path | None) -> Store:
    if store_file is not None:
        return FileStore(store_file)
    if config_file is not None or os.environ.get("HEGUI_KAFKA__BOOTSTRAP_SERVERS"):
        return TopicStore(settings_from(config_file))
    return FileStore(default_file())


def _crawlers(agents: tuple[str, ...], ai_agents: bool) -> tuple[str, ...]:
    return (*(agent.strip().lower() for agent in agents), *(sorted(TRAINING) if ai_agents else ()))


def _moment(text: str) -> int:
    try:
        return epoch_ms(text)
    except OptOutError as error:
        raise click.BadParameter(REASONS[error.reason]) from None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_where
@_how
@click.option("--format", "form", type=click.Choice(FORMATS), help="Format of all files; without it their names tell.")
@click.option(
    "--url",
    help="Where the files were read: the site of a robots.txt, tdmrep.json or RSL licence, the page of headers or HTML.",
)
@click.option("--source", help="Source of rows of lists that name none; without it name and path of their file.")
@click.option(
    "--complete",
    is_flag=True,
    help="The lists are all that the sources named in their rows say, too: a yes of these that is not in them is taken back.",
)
@click.option("--observed-at", help="When they were read (RFC 3339); without it when each file was last changed.")
def import_(
    files: tuple[Path, ...],
    config_file: Path | None,
    store_file: Path | None,
    agents: tuple[str, ...],
    ai_agents: bool,
    refused: IO[bytes] | None,
    form: str | None,
    url: str | None,
    source: str | None,
    complete: bool,
    observed_at: str | None,
) -> None:
    """Take statements in from files: robots.txt, tdmrep.json, RSL, HTTP messages, HTML, C2PA, ISCC declarations, CSV and JSON lists.

    Importing a file again changes nothing. What has no time of its own is written only where it differs from the last word of its source. A yes that a text no longer states is taken back, a no is not. Exit code 1 when a row was refused; the others were taken all the same.
    """
    if source is not None and is_format(source):
        raise click.UsageError(f"--source {source} is what a format is known by; give the list a name of its own")
    if source is not None and source.encode(errors="ignore").decode() != source:  # surrogates
        raise click.UsageError("--source is no UTF-8; write it in this encoding")
    now_ms = _now_ms()
    forms = {file: form or format_of(file.name) for file in files}
    if strange := next((file for file, found in forms.items() if found is None), None):
        raise click.UsageError(f"{_name(strange)} tells no format by its name; give one with --format")
    report = Report(now_ms, _writer(refused))
    names = _crawlers(agents, ai_agents)
    given_ms = None if observed_at is None else _moment(observed_at)

    def found(progress: Callable[[int], None]) -> Iterator[tuple[OptOut, bool]]:
        for file, its_form in forms.items():
            name = _name(file)
            try:
                at_ms = checked_ms(min(round(file.stat().st_mtime * 1000), now_ms)) if given_ms is None else given_ms
            except OptOutError:
                yield from ((record, True) for record in report.add(name, [Remark(0, "file_time")]))
                continue
            reading = Reading(at_ms, url or site_of(name), names, name, source or _source(file), complete)
            with file.open("rb") as content:
                for record in report.add(name, read(content, str(its_form), reading, progress)):
                    yield record, record.observed_at_ms != reading.at_ms

    store = _store(config_file, store_file)
    with _progress(sum(file.stat().st_size for file in files)) as progress:
        written = take_in(store, found(progress), report)
    _tell(report, store, written)


def _name(file: Path) -> str:
    """Return the name of a file for people; not all names can be told, or printed, as they are."""
    return _printable(file.name)


def _source(file: Path) -> str:
    """Return who speaks in a list that does not say so. Lists with one name in two folders are two; a folder may be named after a person."""
    return f"{_name(file)}@{hash_of(os.path.abspath(file))}"  # noqa: PTH100  # a link to the newest edition stays one list


@command.command()
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@_where
@_how
@click.option(
    "--timeout",
    "seconds",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Longest wait for one answer, in seconds.",
)
def fetch(
    urls: tuple[str, ...],
    config_file: Path | None,
    store_file: Path | None,
    agents: tuple[str, ...],
    ai_agents: bool,
    refused: IO[bytes] | None,
    seconds: float,
) -> None:
    """Read what sites say now: robots.txt, tdmrep.json, RSL licences, and headers and metas of the page URL.

    Only what differs from the last word of a source is written. A yes that is no longer there is taken back. Exit code 1 when something could not be read or was refused.
    """
    from hegui.streams.optouts.fetching import fetch_all, page_url, portions

    pages: list[str] = []
    for number, url in enumerate(urls, 1):
        try:
            pages.append(page_url(url))
        except OptOutError:  # it may hold a password
            raise click.UsageError(f"URL {number} is no web address; write it as https://example.com/") from None
    now_ms = _now_ms()
    store = _store(config_file, store_file)
    reading = Reading(now_ms, agents=_crawlers(agents, ai_agents))
    report = Report(now_ms, _writer(refused))
    new = known = 0
    failed = False
    for portion in portions(pages, MAX_SITES):
        fetched = fetch_all(portion, reading, seconds)
        report.scopes = Scopes()  # what was read before is written
        found = [record for each in fetched for record in report.add(each.name, each.found)]
        changed = changes(store, found, scopes=report.scopes)
        report.note("taken_back", len(changed.taken_back))
        new += store.write([*changed.fresh, *changed.taken_back]).new
        known += len(found) - len(changed.fresh)
        for each in fetched:
            if each.problem:
                failed = True
                click.echo(f"not read  {each.name}: {each.problem}", err=True)
    _tell(report, store, Written(new, known), failed=failed)


@command.command()
@_where
def stats(config_file: Path | None, store_file: Path | None) -> None:
    """Count the statements by scheme, value, use and source. Needs memory for a key of each (200 bytes)."""
    store = _store(config_file, store_file)
    rows: dict[bytes, tuple[str, str, str, str]] = {}

    def take(key: bytes, record: OptOut | None) -> None:
        rows.pop(key, None)
        if record is not None:
            rows[key] = (record.scheme, record.value, record.category, record.source)

    store.read(take)
    click.echo(f"{store.name}: {len(rows):,} statement{'' if len(rows) == 1 else 's'}")
    for at, title in enumerate(("scheme", "value", "use", "source")):
        for name, n in sorted(
            Counter(row[at] for row in rows.values()).items(), key=lambda entry: (-entry[1], entry[0])
        ):
            click.echo(f"  {title:8} {_printable(name):20} {n:>14,}")


@command.command()
@click.argument("subject")
@_where
@click.option("--at", help="As of which time (RFC 3339); now when absent.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Text for people, or one JSON object.",
)
def lookup(subject: str, config_file: Path | None, store_file: Path | None, at: str | None, form: str) -> None:
    """Explain what is known of the wish about training on SUBJECT, and which statement decides.

    SUBJECT is an address, a domain, a SHA-256, a work as isbn:..., a rights holder as holder:NAME, or a user key. Exit code 2 when it is none of them.
    """
    store = _store(config_file, store_file)
    at_ms = _now_ms() if at is None else _moment(at)
    try:
        found = explain(store, subject, at_ms)
    except OptOutError as error:
        raise click.UsageError(f"the subject cannot be looked up: {REASONS[error.reason]}") from None
    word = {"deny": "no", "allow": "yes", "unknown": "unknown"}[found.preference.value]
    if form == "json":
        told = [{"part": each.part, "statement": each.statement} for each in found.covering]
        click.echo(
            msgspec.json.encode({"at": _iso(at_ms), "training": found.preference.value, "statements": told}).decode()
        )
        return
    click.echo(f"training: {word}, as of {_iso(at_ms)}, by {store.name}")
    if not found.covering:
        click.echo("  nothing is said about it; what that means, opt_out_unknown of the policy says")
    if found.of_domain:
        click.echo("  the address cannot be read but for its host; the no to its domain counts whatever the rest is")
    for each in found.covering:
        click.echo(_printable(_line(each)))


@command.command()
@_where
def export(config_file: Path | None, store_file: Path | None) -> None:
    """Print all statements as JSON lines, in the form of the topic, each with its source. `hegui check --optouts` and `hegui optouts import` take them."""
    for record in statements(_store(config_file, store_file)).values():
        click.echo(msgspec.json.encode({**msgspec.to_builtins(record), "source": record.source}).decode())


@command.command()
@config_option
@click.option(
    "--since", help="Read records that came in since then only (RFC 3339); all that are retained when absent."
)
@click.option("--optouts-since", help="Look for statements that came in since then only (RFC 3339); all when absent.")
def sweep(config_file: Path | None, since: str | None, optouts_since: str | None) -> None:
    """Find the records that were ingested before an opt-out that covers them, by hand. Needs a broker.

    `hegui run --role sweeper` does it by itself whenever opt-outs arrive. Doing it again changes nothing.
    """
    import asyncio

    from prometheus_client import CollectorRegistry

    from hegui.streams.daemon import wait_for_topics
    from hegui.streams.metrics import SweeperMetrics
    from hegui.streams.policy_file import load_policy
    from hegui.streams.sweep.sweeper import Sweeper

    settings = settings_from(config_file)
    policy = load_policy(Path(settings.policy_file) if settings.policy_file else None)
    since_ms, optouts_since_ms = (None if text is None else _moment(text) for text in (since, optouts_since))

    async def run() -> None:
        await wait_for_topics(settings, asyncio.Event())
        sweeper = Sweeper(settings, lambda: policy, SweeperMetrics(CollectorRegistry()))
        done = await sweeper.once(since_ms, optouts_since_ms)
        optouts, records, hits = (sum(each[at] for each in done) for at in range(3))
        click.echo(
            f"{hits:,} hit{'' if hits == 1 else 's'} in {records:,} records read for {optouts:,} records of opt-outs, "
            f"{sum(each.seconds for each in done):.1f} s"
        )

    asyncio.run(run())


def _line(each: Covering) -> str:
    said = each.statement
    subject = "(the user)" if said.scheme == "user" else said.subject
    until = "" if said.valid_to_ms is None else f" until {_iso(said.valid_to_ms)}"
    proof = f"  [{said.evidence}]" if said.evidence else ""
    return f"  {said.value:7} {said.category:6} {said.scheme} {subject}  {said.source}, since {_iso(said.observed_at_ms)}{until}: {each.part}{proof}"


def _printable(text: str) -> str:
    """Return a text as a terminal shows it: others write to the topic, too."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _iso(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):  # past the year 9999
        return f"{at_ms} ms"


@contextmanager
def _progress(length: int) -> Iterator[Callable[[int], None]]:
    show = sys.stderr.isatty() and length > 5_000_000
    with click.progressbar(length=max(1, length), label="reading", file=sys.stderr, hidden=not show) as bar:
        yield bar.update


def _writer(refused: IO[bytes] | None) -> Callable[[Row], None]:
    def write(row: Row) -> None:
        if refused is not None:
            told = {
                "name": row.name,
                "line": row.remark.line,
                "reason": row.remark.reason,
                "sentence": row.remark.sentence,
            }
            refused.write(msgspec.json.encode(told) + b"\n")

    return write


def _tell(report: Report, store: Store, written: Written, *, failed: bool = False) -> None:
    for line in report.lines():
        click.echo(line, err=True)
    values = ", ".join(f"{n:,} {value}" for value, n in sorted(report.taken.items())) or "none"
    click.echo(
        f"{report.taken.total():,} statement{'' if report.taken.total() == 1 else 's'}: {values}; repeated in the text: {report.repeated:,}"
    )
    known = "" if isinstance(store, TopicStore) and not written.known else f", known before: {written.known:,}"
    click.echo(f"written to {store.name}: {written.new:,}{known}; rows refused: {report.refused:,}")
    sys.exit(EXIT_FAILED if report.refused or failed else 0)
