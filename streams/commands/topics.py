"""`hegui topics`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from hegui.streams.commands.options import config_option, settings_from
from hegui.streams.errors import TopicError
from hegui.streams.settings import Settings


@click.group()
def command() -> None:
    """Create and check the topics."""


async def _settled(client: Any, settings: Settings) -> dict[str, int]:
    """Check the topics; a broker may take a moment to know the ones just made."""
    from hegui.streams.topics import check_topics

    for _ in range(50):
        try:
            return await check_topics(client, settings)
        except TopicError as error:
            if "does not exist" not in str(error):
                raise
            await asyncio.sleep(0.2)
    return await check_topics(client, settings)


@command.command()
@config_option
def create(config_file: Path | None) -> None:
    """Create the topics that do not exist yet. Existing ones are left as they are; calling twice is safe."""
    settings = settings_from(config_file)

    async def work() -> tuple[list[str], dict[str, int]]:
        from hegui.streams.broker import admin, start_with_retry
        from hegui.streams.topics import create_topics

        client = admin(settings.kafka)
        await start_with_retry(client, "admin", settings.kafka)
        try:
            created = await create_topics(client, settings)
            return created, await _settled(client, settings)
        finally:
            await client.close()

    created, counts = asyncio.run(work())
    for name, partitions in sorted(counts.items()):
        click.echo(
            f"{'created' if name in created else 'exists '}  {name}  {partitions} partition{'s' if partitions > 1 else ''}"
        )
