"""The file of a snapshot: header, filter, fences, rows, values. Little-endian.

    header    magic, format, length (16 bytes); JSON (`Header`); xxh3-128 of both; padded to 4,096 bytes
    filter    2^n bytes: a Bloom filter of keys, hosts and sites: 4 bits each, 2 in each of two bytes
    fences    hash of the first row of each block, 8 bytes each
    checks    xxh3-64 of each block, 8 bytes each
    rows      sorted by hash, 64 bytes each (`ROW`), in blocks of 64
    values    the records' values as they stand on the topic

Header, filter, fences and checks are verified when the file is opened; a block and a value whenever they are read.
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec
from xxhash import xxh3_64_intdigest, xxh3_128, xxh3_128_digest

from hegui.streams.errors import HeguiError

SNAPSHOT = "snapshot"
"""Name of the file."""

MAGIC = b"HEGUIOPT"
FORMAT = 2
PREFIX = struct.Struct("<8sII")
PAGE = 4096
MAX_HEADER = 16 * 1024 * 1024

ROW = struct.Struct("<QQIIQ16sQQ")
"""Hash of the key, place of the value from the start of the values, its length and the low half of its xxh3-64, Kafka offset, record id,
hashes of host and site (`keys.Hashes`)."""
BLOCK_ROWS = 64
BLOCK = ROW.size * BLOCK_ROWS

LEAST_FILTER_BITS = 6

_PAIRS = [1 << one | 1 << other for one in range(8) for other in range(one)]
MASKS = bytes(_PAIRS[n % len(_PAIRS)] for n in range(256))
"""Two of eight bits for each value of a byte."""


class SnapshotError(HeguiError):
    """A snapshot is broken, foreign or too new. One sentence."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of itself."""

    form: str
    """`keys.form()` of its writer."""
    log: str
    """The log it was read from (`log_identity.identity_of`)."""
    seed: int
    """Of its hashes."""
    positions: dict[int, int]
    """Partition to the next offset that it does not cover."""
    entries: int
    """Rows, one for each record: what people call the opt-outs in it."""
    filter_bits: int
    """The filter has two to the power of it bytes."""
    value_bytes: int
    """Length of all values."""
    written_at: int
    """When it was written, epoch seconds."""
    current_at: int
    """When the topic last said nothing that is not in it, epoch seconds: later tombstones must still be there to be read."""
    hot_check: str
    """xxh3-128 of filter, fences and checks, hexadecimal."""
    user_keys: dict[str, int]
    """Key id of users to the earliest time of a statement under it, epoch milliseconds."""


class Places(msgspec.Struct, frozen=True):
    """Where the sections begin, bytes from the start of the file."""

    filter: int
    fences: int
    checks: int
    rows: int
    values: int
    end: int


def blocks_of(entries: int) -> int:
    """Return how many blocks hold the rows."""
    return -(-entries // BLOCK_ROWS)


def filter_bits_for(hashes: int) -> int:
    """Return the size of the filter for so many hashes: 12 to 24 bits each."""
    return max(LEAST_FILTER_BITS, (hashes + hashes // 2).bit_length())


def places(header: Header, header_bytes: int) -> Places:
    """Return where the sections of a file begin."""
    fences = header_bytes + (1 << header.filter_bits)
    checks = fences + 8 * blocks_of(header.entries)
    rows = checks + 8 * blocks_of(header.entries)
    values = rows + ROW.size * header.entries
    return Places(header_bytes, fences, checks, rows, values, values + header.value_bytes)


def encode_header(header: Header) -> bytes:
    """Return the first bytes of the file. Their length depends on the numbers of partitions and of key ids alone, up to the padding."""
    text = msgspec.json.encode(header)
    front = PREFIX.pack(MAGIC, FORMAT, len(text)) + text
    front += xxh3_128_digest(front)
    return front.ljust(-(-len(front) // PAGE) * PAGE, b"\0")


def decode_header(front: bytes, file: Path) -> tuple[Header, int]:
    """Return the header and its length with padding.

    Args:
        front: the first bytes of the file, the whole header at least.
        file: named in errors.

    Raises:
        SnapshotError: it is no header of this format.
    """
    if len(front) < PREFIX.size or front[:8] != MAGIC:
        raise SnapshotError(f"{file.name} is no snapshot of opt-outs")
    _, number, length = PREFIX.unpack_from(front)
    if number != FORMAT:
        raise SnapshotError(f"{file.name} has format {number}, this version reads {FORMAT}")
    end = PREFIX.size + length
    if length > MAX_HEADER or front[end : end + 16] != xxh3_128_digest(front[:end]):
        raise SnapshotError(f"{file.name} has a damaged header")
    try:
        header = msgspec.json.decode(front[PREFIX.size : end], type=Header)
    except msgspec.DecodeError:
        raise SnapshotError(f"{file.name} has a header that cannot be read") from None
    return header, -(-(end + 16) // PAGE) * PAGE


def value_check(value: bytes) -> int:
    """Return the checksum of a value."""
    return xxh3_64_intdigest(value) & 0xFFFFFFFF


def hot_check(*parts: memoryview) -> str:
    """Return the checksum of the sections that are always in memory."""
    made = xxh3_128()
    for part in parts:
        made.update(part)
    return made.hexdigest()
