"""How export accounts lie in the table: the forms of their keys, and reading them back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from hegui.rules.export_accounts import UNKNOWN_DAY, AccountState, ExportAccount
from hegui.rules.exports import LEDGER_TENANT, Account
from hegui.streams.errors import StateVersionError
from hegui.streams.stored import decode_stored

ACCOUNT = b"\x01a"
"""Prefix of the table key of an account: then 2 bytes partition, 16 bytes hash of the account."""
PERSON = b"\x01p"
"""Prefix of the table key of persons: then the account's 18 bytes, `o` or `s`, 8 bytes offset, 2 bytes legal day. The value: 32
bytes a person. Keys written before there were days end with the offset."""
PERSON_BYTES = 32

VERSION = 1
"""Version of `AccountState` that this process writes; it reads older ones."""

_account = msgspec.json.Decoder(AccountState)


def account_place(partition: int, account: Account) -> bytes:
    """Return the 18 bytes that stand for an account in table keys."""
    return partition.to_bytes(2, "big") + hashlib.sha256(msgspec.json.encode(account)).digest()[:16]


def persons_key(place: bytes, *, sensitive: bool, offset: int, day: int) -> bytes:
    """Return the table key of the persons that the observation at an offset added to an account on a legal day."""
    return PERSON + place + (b"s" if sensitive else b"o") + offset.to_bytes(8, "big") + day.to_bytes(2, "big")


def is_export_key(key: bytes) -> bool:
    """Tell whether a table key belongs to the export keeper."""
    return key.startswith((ACCOUNT, PERSON))


def partition_in(key: bytes) -> int:
    """Return the partition that a table key of this module names."""
    return int.from_bytes(key[2:4], "big")


def day_in(key: bytes) -> int:
    """Return the legal day that a table key of persons names."""
    return int.from_bytes(key[29:31], "big") if len(key) == 31 else UNKNOWN_DAY


def persons_in(value: bytes) -> Iterator[bytes]:
    """Yield the persons of a table entry."""
    return (value[at : at + PERSON_BYTES] for at in range(0, len(value), PERSON_BYTES))


def read_accounts(table: Mapping[bytes, bytes], owned: Iterable[int] | None = None) -> dict[bytes, ExportAccount]:
    """Return the accounts of a table with their persons, by place; of some partitions only when `owned` names them.

    Raises:
        StateVersionError: an account was written by a newer version, or by one that counted the persons of an entity by tenant.
    """
    partitions = None if owned is None else set(owned)
    found: dict[bytes, ExportAccount] = {}
    for key, value in table.items():
        if key.startswith(ACCOUNT) and (partitions is None or partition_in(key) in partitions):
            state = decode_stored(value, _account, VERSION, "an export account")
            if state.account.tenant != LEDGER_TENANT:
                raise StateVersionError(
                    f"an export account of {state.account.entity} was counted for the tenant {state.account.tenant} alone; "
                    "rebuild the ledgers from the topics (streams/state.md)"
                )
            found[key[2:]] = ExportAccount(state)
    for key, value in table.items():
        if key.startswith(PERSON) and (account := found.get(key[2:20])) is not None:
            add, day = (account.sensitive if key[20:21] == b"s" else account.ordinary).add, day_in(key)
            for person in persons_in(value):
                add(person, day)
    return found
