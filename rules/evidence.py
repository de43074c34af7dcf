"""What may stand in a result: enumerated values, numbers, short codes and hashes; never content, never a raw identifier."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

EvidenceValue = str | int | float | bool | None

# A code: region, country, model, rule or filing id; two kinds of text look like codes and are persons:
# a mainland mobile number and a resident identity number. `@` and `?` (addresses, URLs with queries) do not match at all.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}")
_SEPARATORS = str.maketrans("", "", " -._/:+")
_PERSON = re.compile(
    r"(?<![0-9])(?:(?:0{0,2}86|0)?1[3-9][0-9]{9}"
    r"|[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"|[1-9][0-9]{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3})(?![0-9])"
)
# Every number of a person has as many in a row.
_ELEVEN_DIGITS = re.compile(r"[0-9]{11}")


def may_name_a_person(text: str) -> bool:
    """Tell whether a mainland mobile number or resident identity number stands in `text`, with or without separators."""
    bare = text.translate(_SEPARATORS)
    if _ELEVEN_DIGITS.search(bare) is None:  # as most ids are: 1 us instead of 3
        return False
    return _PERSON.search(text) is not None or _PERSON.search(bare) is not None


class Code(str):
    """A string that a rule vouches for: an enumerated value, a field name, a clause, a code of the deployer's policy."""

    __slots__ = ()


def reference(text: str) -> str:
    """Return `sha256:` and 32 hex digits: names one value without showing it."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def safe(value: object) -> EvidenceValue:
    """Return a value that may be stored: numbers, booleans, None and `Code` as they are, any other text as its hash.

    A rule that wants a readable text must say so by `Code(...)`, which still refuses whatever does not look like a short
    code or looks like a person's number.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Code):
        return str(value) if is_code(value) else reference(value)
    return reference(str(value))


@lru_cache(maxsize=4096)  # enumerated values and names of the policy, again and again
def is_code(text: str) -> bool:
    """Tell whether `text` is a short ASCII code and does not look like a phone or identity number."""
    return _CODE.fullmatch(text) is not None and not may_name_a_person(text)


@lru_cache(maxsize=1024)  # sources and tenants are few and stand in every result
def opaque_id(text: str) -> str:
    """Return a CloudEvents `source` or `id` for a result: itself when it is an opaque code of up to 128 characters, else its hash.

    Identities are needed to find the event again, but URLs with queries, addresses and personal numbers occur in them.
    """
    short = len(text) <= 128 and all(_CODE.fullmatch(part) for part in text.strip("/").split("/") if part)
    return text if short and not may_name_a_person(text) else reference(text)
