"""`hegui optouts iscc`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import msgspec

from hegui.rules.fact_tables import OptOut
from hegui.streams.cli import EXIT_FAILED


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl"]),
    default="text",
    show_default=True,
    help="Text for people, or JSON lines that `hegui optouts import` takes.",
)
def iscc(files: tuple[Path, ...], form: str) -> None:
    """Compute the ISCC of texts (UTF-8) and pictures, for registering works. Needs the extra `iscc`.

    With --format jsonl each work is refused for training from now on. Exit code 1 when no code could be made of a file; the
    others are printed all the same.
    """
    try:
        from hegui.streams.optouts.content_codes import ContentCodeError, iscc_of
    except ImportError:
        raise click.UsageError("codes need iscc-lib and Pillow; install the extra: pip install 'hegui[iscc]'") from None
    failed = False
    for file in files:
        try:
            kind, code = iscc_of(file.read_bytes())
        except ContentCodeError as error:
            failed = True
            click.echo(f"no code    {file.name}: {error}", err=True)
            continue
        if form == "jsonl":
            refusal = OptOut("work", code, "deny", time.time_ns() // 1_000_000, source="iscc", evidence=kind)
            click.echo(msgspec.json.encode(refusal).decode())
        else:
            click.echo(f"{code}  {kind:5}  {file.name}")
    sys.exit(EXIT_FAILED if failed else 0)
