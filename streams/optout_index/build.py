"""Writes a snapshot: the one before, without what the spool replaces or removes, and the spool. A process of its own, started by `folder.py`.

Memory: some 60 bytes for each record of the spool, 9 for each row of the snapshot before, and 200 MB: rows and values go through in ranges of the hash.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from hegui.streams.optout_index.layout import (
    BLOCK,
    BLOCK_ROWS,
    MASKS,
    ROW,
    SNAPSHOT,
    Header,
    SnapshotError,
    blocks_of,
    encode_header,
    filter_bits_for,
    hot_check,
    places,
)
from hegui.streams.optout_index.snapshot_file import SnapshotFile
from hegui.streams.optout_index.spool import BROKEN, ROWS, VALUES, Order

RANGE_ROWS = 500_000
"""Rows that are sorted at once."""

Array = npt.NDArray[Any]

_ROW = np.dtype(
    [
        *(("hash", "<u8"), ("place", "<u8"), ("length", "<u4"), ("check", "<u4"), ("offset", "<u8")),
        *(("id", "<u8", (2,)), ("host", "<u8"), ("site", "<u8")),
    ]
)
assert _ROW.itemsize == ROW.size
_MASKS = np.frombuffer(MASKS, np.uint8)


class Source(NamedTuple):
    """Rows sorted by hash, which of them stay, and the values they point to."""

    rows: Array
    kept: Array
    """Row numbers in the order of the hashes."""
    values: memoryview


def build(order: Order, before: SnapshotFile | None = None, *, range_rows: int = RANGE_ROWS) -> Header:
    """Write the snapshot under a temporary name, force it to the disk, and give it its name.

    Args:
        order: what is to be built.
        before: the snapshot that is carried on.
        range_rows: how many rows are sorted at once.

    Raises:
        SnapshotError: the snapshot before is damaged. OSError: the disk is full.
    """
    folder = Path(order.folder)
    spooled = _rows(_bytes_of(folder / ROWS))
    latest = _latest(spooled)
    alive = latest[spooled["length"][latest] > 0]
    alive = alive[np.argsort(spooled["hash"][alive], kind="stable")]
    sources = [Source(spooled, alive, memoryview(_bytes_of(folder / VALUES)))]
    if before is not None:
        rows, values = _verified(before)
        kept = np.flatnonzero(~_among(rows["id"], spooled["id"][latest]))
        sources.append(Source(rows, kept, memoryview(values)))
    entries = sum(len(source.kept) for source in sources)
    header = Header(
        form=order.form,
        log=order.log,
        seed=order.seed,
        positions=order.positions,
        entries=entries,
        filter_bits=filter_bits_for(entries + _names_in(sources)),
        value_bytes=sum(int(s.rows["length"][s.kept].sum(dtype=np.uint64)) for s in sources),
        written_at=order.written_at,
        current_at=order.current_at,
        hot_check="0" * 32,
        user_keys=order.user_keys,
    )
    target = folder / SNAPSHOT
    temporary = target.with_name(target.name + ".tmp")
    try:
        header = _write(temporary, header, sources, range_rows)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder_fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
    return header


def _bytes_of(file: Path) -> Any:
    """Return the bytes of a file, mapped; an empty one cannot be mapped."""
    return np.memmap(file, np.uint8, mode="r") if file.stat().st_size else np.empty(0, np.uint8)


def _bytes(array: Array) -> memoryview:
    """Return the bytes of an array, without copying them; an empty one has none to show."""
    return memoryview(array.view(np.uint8).data).cast("B") if array.size else memoryview(b"")


def _rows(found: Any) -> Array:
    return np.frombuffer(found, _ROW)


def _verified(before: SnapshotFile) -> tuple[Array, Any]:
    """Return rows and values of a snapshot. Blocks are compared with their checks; a value keeps its check."""
    whole, at = memoryview(before.mapped()), before.at
    rows = whole[at.rows : at.values]
    for block, check in enumerate(before.checks):
        if xxh3_64_intdigest(rows[block * BLOCK : (block + 1) * BLOCK]) != check:
            raise SnapshotError(f"{before.path.name} has a damaged block of rows")
    return _rows(rows), whole[at.values : at.end]


def _names_in(sources: list[Source]) -> int:
    """Return about how many hosts and sites the kept rows name, each counted once: ten million pages may lie on few.

    Counted by the cells that stay empty (linear counting): within a hundredth up to a hundred million.
    """
    cells = np.zeros(1 << 24, bool)
    for source in sources:
        for start in range(0, len(source.kept), RANGE_ROWS):
            rows = source.rows[source.kept[start : start + RANGE_ROWS]]
            for found in (rows["host"], rows["site"]):
                cells[found[found != 0] >> np.uint64(40)] = True
    empty = len(cells) - int(np.count_nonzero(cells))
    return round(len(cells) * math.log(len(cells) / max(1, empty)))


def _latest(rows: Array) -> Array:
    """Return the number of the last row of each id, in the order of the ids."""
    ids = rows["id"]
    order = np.lexsort((ids[:, 1], ids[:, 0]))  # stable: rows of one id keep the order of the log
    ordered = ids[order]
    last = np.ones(len(order), bool)
    last[:-1] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[last]


def _among(ids: Array, wanted: Array) -> Array:
    """Tell for each id whether it is among the wanted ones, which are distinct and in the order of `_latest`."""
    found = np.zeros(len(ids), bool)
    if not len(wanted):
        return found
    high, low = np.ascontiguousarray(wanted[:, 0]), wanted[:, 1]
    for start in range(0, len(ids), RANGE_ROWS):
        part = ids[start : start + RANGE_ROWS]
        place = np.searchsorted(high, part[:, 0])
        open_ = np.arange(len(part))
        while len(open_):  # once, but for ids with one first half
            inside = place[open_] < len(high)
            open_ = open_[inside]
            open_ = open_[high[place[open_]] == part[open_, 0]]
            equal = low[place[open_]] == part[open_, 1]
            found[start + open_[equal]] = True
            open_ = open_[~equal]
            place[open_] += 1
    return found


def _ranges(sources: list[Source], range_rows: int) -> Iterator[list[Array]]:
    """Yield the kept row numbers of each source, range of the hash by range."""
    hashes = [source.rows["hash"][source.kept] for source in sources]
    longest = max(hashes, key=len)
    cuts = [longest[end] for end in range(range_rows, len(longest), range_rows)]
    ends = [[*np.searchsorted(found, np.array(cuts, np.uint64)).tolist(), len(found)] for found in hashes]
    starts = [0] * len(sources)
    for upto in zip(*ends, strict=True):
        yield [s.kept[start:end] for s, start, end in zip(sources, starts, upto, strict=True)]
        starts = list(upto)


def _write(file: Path, header: Header, sources: list[Source], range_rows: int) -> Header:
    at = places(header, len(encode_header(header)))
    filter_ = np.zeros(1 << header.filter_bits, np.uint8)
    fences = np.zeros(blocks_of(header.entries), np.uint64)
    checks = np.zeros(blocks_of(header.entries), np.uint64)
    block, place = 0, 0
    rest = np.empty(0, _ROW)
    with file.open("wb") as rows_out, file.open("r+b") as values_out:
        file.chmod(0o600)
        rows_out.truncate(at.end)
        rows_out.seek(at.rows)
        values_out.seek(at.values)
        for chosen in _ranges(sources, range_rows):
            rows = np.concatenate([source.rows[numbers] for source, numbers in zip(sources, chosen, strict=True)])
            order = np.argsort(rows["hash"], kind="stable")
            rows = rows[order]
            values_out.writelines(_values(sources, np.repeat(range(len(chosen)), [*map(len, chosen)])[order], rows))
            lengths = rows["length"].astype(np.uint64)
            rows["place"] = place + np.cumsum(lengths) - lengths
            place += int(lengths.sum())
            _add(filter_, header.filter_bits, rows["hash"])
            for known in (rows["host"], rows["site"]):
                _add(filter_, header.filter_bits, known[known != 0])
            rest = np.concatenate([rest, rows])
            whole = len(rest) - len(rest) % BLOCK_ROWS
            block = _blocks(rows_out, rest[:whole], block, fences, checks)
            rest = rest[whole:]
        _blocks(rows_out, rest, block, fences, checks)
        hot = [_bytes(part) for part in (filter_, fences, checks)]
        header = msgspec.structs.replace(header, hot_check=hot_check(*hot))
        rows_out.seek(0)
        rows_out.write(encode_header(header))
        for part in hot:
            rows_out.write(part)
        for out in (values_out, rows_out):
            out.flush()
            os.fsync(out.fileno())
    return header


def _values(sources: list[Source], of: Array, rows: Array) -> Iterator[memoryview]:
    """Yield the values of rows in their order; those that follow each other in a source as one.

    Args:
        sources: where the values lie.
        of: the number of the source of each row.
        rows: with the places in the source.
    """
    ends = rows["place"] + rows["length"]
    breaks = 1 + np.flatnonzero((of[1:] != of[:-1]) | (rows["place"][1:] != ends[:-1]))
    first, last = np.append(0, breaks), np.append(breaks, len(rows)) - 1
    if len(rows):
        for source, start, end in zip(
            of[first].tolist(), rows["place"][first].tolist(), ends[last].tolist(), strict=True
        ):
            yield sources[source].values[start:end]


def _blocks(out: Any, rows: Array, block: int, fences: Array, checks: Array) -> int:
    """Write rows as blocks from number `block` on; return the number of the next."""
    written = _bytes(np.ascontiguousarray(rows))
    out.write(written)
    for start in range(0, len(rows), BLOCK_ROWS):
        fences[block] = rows["hash"][start]
        checks[block] = xxh3_64_intdigest(written[start * ROW.size : (start + BLOCK_ROWS) * ROW.size])
        block += 1
    return block


def _add(filter_: Array, bits: int, hashes: Array) -> None:
    """Set the four bits of each hash, as `probe.Probe` asks for them."""
    first = hashes >> np.uint64(64 - bits)
    second = (hashes >> np.uint64(8)) & np.uint64(len(filter_) - 1)
    np.bitwise_or.at(filter_, first.astype(np.intp), _MASKS[hashes & np.uint64(255)])
    np.bitwise_or.at(filter_, second.astype(np.intp), _MASKS[first & np.uint64(255)])


def main() -> int:
    """Build what standard input orders; the file descriptor of the snapshot before is the first argument, if there is one."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    os.nice(10)  # the judgement comes first
    try:
        before = None
        if len(sys.argv) > 1:
            before = SnapshotFile(Path(order.folder, SNAPSHOT), order.form, int(sys.argv[1]))
        build(order, before)
    except SnapshotError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the sentence is for the process that started this one
        return BROKEN
    except OSError as error:
        print(f"{error.filename or order.folder}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
