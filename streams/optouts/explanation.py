"""Why a record may or may not be used for training, as of a time: every statement that covers it, and which one decides."""

from __future__ import annotations

from typing import NamedTuple

from hegui.rules.addresses import Address, prefixes_of
from hegui.rules.fact_tables import OptOut
from hegui.rules.hosts import domains_of, host_of
from hegui.rules.optout_subjects import subject_defect
from hegui.rules.preferences import NO_TO_TRAINING, Preference, combined, covering, in_force
from hegui.rules.values import is_person_key
from hegui.rules.works import WORK_SCHEMES, normal_holder, normal_sha256
from hegui.streams.errors import OptOutError
from hegui.streams.optouts.normal_form import normal, web_address
from hegui.streams.optouts.store import Store

Key = tuple[str, str]


class Covering(NamedTuple):
    """One statement that covers the record, and its part in the answer."""

    statement: OptOut
    part: str
    """`decides`, or why it does not."""


class Explanation(NamedTuple):
    """The answer."""

    preference: Preference
    covering: list[Covering]
    of_domain: bool = False
    """Whether the address cannot be read but for its host, whose domain is refused: a no whatever the rest."""


def keys_of(text: str) -> list[Key]:
    """Return the keys under which statements about something may stand, addresses from the broadest to the narrowest.

    A user key, a SHA-256, a work (`isbn:...`), `holder:` and a name, a domain or an address are told by their form.

    Raises:
        OptOutError: it is none of these.
    """
    text = text.strip()
    if is_person_key(text):
        return [("user", text)]
    if text.lower().startswith("holder:"):
        return [("holder", normal_holder(text[7:]))]
    if text.partition(":")[0].strip().lower() in WORK_SCHEMES:
        return [("work", normal("work", text))]
    try:
        return [("content", normal_sha256(text))]
    except ValueError:
        pass
    return _keys_of_address(web_address(text))


def _keys_of_host(text: str) -> list[Key]:
    """Return the keys of the domains of an address that cannot be read as a whole, none when its host cannot either."""
    try:
        return _keys_of_domains(host_of(text))
    except ValueError:
        return []


def _keys_of_domains(host: str) -> list[Key]:
    return [("domain", domain) for domain in reversed(domains_of(host))]


def _keys_of_address(address: Address) -> list[Key]:
    keys = _keys_of_domains(address.host)
    keys += [("url_prefix", prefix) for prefix in dict.fromkeys(prefixes_of(address))]
    return [*keys, ("url", address.text())]


def explain(store: Store, text: str, at_ms: int) -> Explanation:
    """Explain what is known of the wish about training on something at a time, epoch milliseconds. Reads the whole store once.

    Raises:
        OptOutError: the text names nothing that statements can be about, or is an address of which only the host can be read and is not refused.
    """
    unread: OptOutError | None = None
    try:
        keys = keys_of(text)
    except OptOutError as error:
        keys, unread = _keys_of_host(text), error
        if not keys:
            raise
    wanted = set(keys)
    found: dict[bytes, OptOut] = {}

    def take(record_key: bytes, record: OptOut | None) -> None:
        found.pop(record_key, None)
        if record is None or record.key() not in wanted:
            return
        if subject_defect(record.scheme, record.subject) is None:  # as the evaluators, who bury the others
            found[record_key] = record

    store.read(take)
    explanation = explained(keys, list(found.values()), at_ms)
    if unread is None:
        return explanation
    if explanation.preference.value != "deny":
        raise unread
    return explanation._replace(of_domain=True)


def explained(keys: list[Key], records: list[OptOut], at_ms: int) -> Explanation:
    """Explain what the statements under some keys come to. Oldest first among those of one key, as a table of facts has them."""
    by_key: dict[Key, list[OptOut]] = {key: [] for key in keys}
    for record in sorted(records, key=lambda record: record.observed_at_ms):
        by_key[record.key()].append(record)
    valid = [[record for record in of_key if _holds(record, at_ms)] for of_key in by_key.values()]
    preference = combined(valid, at_ms)
    counted = [record for record, _ in covering(valid)]
    told = [
        Covering(record, _part(record, of_key, at_ms, preference, counted, valid[:place]))
        for place, of_key in enumerate(by_key.values())
        for record in of_key
    ]
    return Explanation(preference, told)


def _holds(record: OptOut, at_ms: int) -> bool:
    start_ms, end_ms = record.interval()
    return start_ms <= at_ms and (end_ms is None or at_ms < end_ms)


def _gave_way(record: OptOut, broader: list[list[OptOut]]) -> bool:
    said_by = (record.source, record.category)
    return record.value != "deny" and any(
        (each.source, each.category, each.value) == (*said_by, "deny") and each.observed_at_ms > record.observed_at_ms
        for of_key in broader
        for each, _ in in_force(of_key)
    )


def _part(
    record: OptOut,
    of_key: list[OptOut],
    at_ms: int,
    preference: Preference,
    counted: list[OptOut],
    broader: list[list[OptOut]],
) -> str:
    start_ms, _ = record.interval()
    if record is preference.statement:
        return "decides"
    if start_ms > at_ms:
        return "not yet said at that time"
    if not _holds(record, at_ms):
        return "no longer in force at that time"
    if not any(record is each for each in counted):
        replaced = any(
            each is not record
            and _holds(each, at_ms)
            and (each.source, each.category) == (record.source, record.category)
            for each in of_key
        )
        if replaced:
            return "replaced by another word of its source"
        return (
            "its source said no more broadly later"
            if _gave_way(record, broader)
            else "its source says more of a longer path"
        )
    if record.category not in NO_TO_TRAINING or (record.value == "allow" and record.category != "train"):
        return "speaks of another use"
    if record.value == "unknown":
        return "says nothing"
    return "says the same" if record.value == preference.value else "gives way to the no"
