"""`hegui schema`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from hegui.streams.commands.options import config_option
from hegui.streams.schema import asyncapi, json_schemas
from hegui.streams.settings import load_settings


@click.command()
@click.argument("content", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["asyncapi", "jsonschema"]),
    default="asyncapi",
    show_default=True,
    help="One document of all topics, or schemas.",
)
@config_option
def command(content: str | None, form: str, config_file: Path | None) -> None:
    """Print the schema of every topic, or the JSON Schema of one CONTENT (event, optout, filing, violation, finding, ...)."""
    schemas = json_schemas()
    if content is not None and content not in schemas:
        raise click.UsageError(f"there is no content {content!r}; it is one of {', '.join(sorted(schemas))}")
    if content is not None:
        document: object = schemas[content]
    elif form == "jsonschema":
        document = schemas
    else:
        environment = None if config_file else {"HEGUI_KAFKA__BOOTSTRAP_SERVERS": "localhost:9092"}
        document = asyncapi(load_settings(config_file, environment))
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
