"""Snapshots of many opt-outs, made without a broker: half of them domains, half content hashes."""

import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from hegui.rules.fact_tables import OptOut
from hegui.streams.optout_index.build import build
from hegui.streams.optout_index.folder import Folder
from hegui.streams.optout_index.keys import hashes_of, record_id, seeds_of
from hegui.streams.optout_index.layout import SNAPSHOT, decode_header, encode_header
from hegui.streams.optout_index.spool import Order, Recent

TOPIC = "optouts"
LOG = f"cluster/{TOPIC}/id"
SEED = 20_261_125
CHUNK = 10_000


def key(number: int) -> tuple[str, str]:
    if number % 2:
        return ("domain", f"site-{number}.example")
    return ("content", sha256(b"%d" % number).hexdigest())


def unknown(number: int) -> tuple[str, str]:
    return key(-2 - number)


def records(entries: int, start: int = 0) -> Iterator[tuple[bytes, Recent]]:
    seeds = seeds_of(SEED)
    for number in range(start, start + entries):
        scheme, subject = found = key(number)
        value = b'{"scheme":"%s","subject":"%s","value":"deny","observed_at_ms":%d,"source":"registry"}' % (
            scheme.encode(),
            subject.encode(),
            1_700_000_000_000 + number,
        )
        yield record_id(b"registry %d" % number), Recent(0, number, hashes_of(OptOut(*found, "deny", 1), seeds), value)


def make(parent: Path, entries: int, topic: str = TOPIC) -> tuple[float, float]:
    """Write a snapshot of so many entries; return the seconds for the spool and for the builder."""
    folder = Folder(parent, topic)
    assert folder.lock()
    started = time.monotonic()
    spool, chunk = folder.spool(), []
    for record in records(entries):
        chunk.append(record)
        if len(chunk) == CHUNK:
            spool.append(chunk)
            chunk.clear()
    spool.append(chunk)
    spool.close()
    spooled = time.monotonic()
    build(Order(str(folder.path), folder.form, LOG, SEED, {0: entries}, round(time.time()), round(time.time())))
    for name in ("spool.rows", "spool.values"):
        (folder.path / name).unlink()
    folder.close()
    return spooled - started, time.monotonic() - spooled


def declare(path: Path, log: str, positions: dict[int, int]) -> None:
    """Let a snapshot say that it is of another log and covers other offsets. Nobody may have it open."""
    with path.open("r+b") as file:
        front = file.read(4096)
        header, length = decode_header(front, path)
        changed = encode_header(msgspec.structs.replace(header, log=log, positions=positions))
        assert len(changed) == length
        file.seek(0)
        file.write(changed)


def path_in(parent: Path) -> Path:
    return Folder(parent, TOPIC).path / SNAPSHOT
