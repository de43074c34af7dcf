"""The export ledger: distinct persons whose information an entity provided abroad in a legal year. Cross-border Provisions arts. 7, 8.

Pure. The evaluator asks `exported` of an event; the state agents keep the persons as sets, so that a person seen twice, or an
event read twice, counts once; the rules judge `ExportLedger`. A legal year begins on 1 January at midnight in Shanghai, by the
event's time. The count never goes down: what was provided abroad cannot be taken back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from hegui.rules.events import GenerationEvent
from hegui.rules.facts import Facts
from hegui.rules.law import SHANGHAI
from hegui.rules.localisation.mechanism import exempt
from hegui.rules.registry import OTHER
from hegui.rules.values import is_person_key

Problem = Literal[
    "entity_unknown",
    "time_not_trusted",
    "information_unknown",
    "sensitivity_unknown",
    "no_subject",
    "not_a_keyed_hash",
    "key_not_registered",
    "key_of_another",
]
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
"""Why an export could not be counted by person, in the order in which they are looked for."""


UNKNOWN_YEAR = 0
"""Legal year of exports whose time cannot be trusted."""

DAY_MS = 86_400_000
PACE_DAYS = 7
"""Over how many legal days the pace is taken: a week, since weekdays and weekends differ."""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """Whose ledger: one entity in one legal year. The controller decides where it is kept, so that all its entities are in one place."""

    tenant: str
    """The tenant, as in the policy, else `other`."""
    controller: str
    """The ultimate controller, as in the policy; the entity itself when the policy names none."""
    entity: str
    """The exporting entity, as in the policy, else `other`."""
    year: int
    """Legal year, Asia/Shanghai; 0 for exports whose time cannot be trusted."""


class Exported(msgspec.Struct, frozen=True):
    """What one event adds to a ledger: persons, or the reason why they cannot be counted."""

    account: Account
    sensitive: bool
    persons: tuple[str, ...]
    """Keyed hashes: 64 hex digits each, without the key id."""
    problem: Problem | None
    day: int
    """Legal day of the export, as `legal_day` counts."""


class ExportLedger(msgspec.Struct, frozen=True):
    """The state that the rules on exports judge: one account, as of its last export."""

    tenant: str
    """The tenant."""
    entity: str
    """The exporting entity."""
    year: int
    """Legal year, Asia/Shanghai."""
    ordinary: int
    """Distinct persons in the year whose information was not sensitive."""
    sensitive: int
    """Distinct persons in the year whose information was sensitive."""
    uncounted: int
    """Exports in the year that could not be counted by person."""
    controller_ordinary: int
    """The same over all entities of the controller; a person counts once."""
    controller_sensitive: int
    """As `controller_ordinary`, for sensitive information."""
    controller_entities: int
    """Entities of the controller that exported in the year."""
    new_ordinary_7_days: int = 0
    """Of `ordinary`, those whose first export lies in the legal day as of which the ledger is judged, or in the six before."""
    new_sensitive_7_days: int = 0
    """As `new_ordinary_7_days`, for sensitive information."""

    @property
    def service(self) -> str:
        """A ledger belongs to an entity and to no service."""
        return OTHER


def account_key(account: Account) -> str:
    """Return the key by which an account finds its partition: all entities of a controller lie in one."""
    return f"{account.tenant}|{account.controller}"


def legal_year(at_ms: int) -> int:
    """Return the legal year of a time (epoch milliseconds), Asia/Shanghai."""
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).year


_UTC_OFFSET_MS = round(SHANGHAI.utcoffset(None).total_seconds() * 1000)


def legal_day(at_ms: int) -> int:
    """Return the legal day of a time (epoch milliseconds): days since 1970-01-01, Asia/Shanghai."""
    return (at_ms + _UTC_OFFSET_MS) // DAY_MS


def year_end_ms(year: int) -> int:
    """Return the first moment after a legal year, epoch milliseconds."""
    return round(datetime(year + 1, 1, 1, tzinfo=SHANGHAI).timestamp() * 1000)


def days_until(limit: int, count: int, new: int) -> int | None:
    """Return in how many days, rounded up, a count reaches a limit when `new` came in `PACE_DAYS`; None when nobody came."""
    return -((count - limit) * PACE_DAYS // new) if new else None


def first_year_kept(at_ms: int, years: int) -> int:
    """Return the earliest legal year whose ledgers are kept at a time (epoch milliseconds), of so many years with the running one."""
    return legal_year(at_ms) - years + 1


def year_to_keep(account: Account, last_ms: int) -> int:
    """Return the legal year by whose age an account is kept: its own; without one, that of its last export (epoch milliseconds)."""
    return account.year if account.year != UNKNOWN_YEAR else legal_year(last_ms)


def exported(event: GenerationEvent, facts: Facts, trusted: bool) -> Exported | None:
    """Return what an event adds to an export ledger; None when it provided no personal information abroad that counts.

    A prompt with personal information that goes to a model hosted abroad is an export too. Exempt exports do not count (that
    exemptions are left out of the year's count is known from memory only); unlawful ones do, and so do exemptions without proof.

    Args:
        event: the event's data.
        facts: the facts as of the event.
        trusted: whether its time agrees with the broker's.
    """
    if event.prompt_personal_information is False:
        return None
    export = event.export
    if not event.exported:
        region = event.model.hosting_region if event.model is not None else None
        if not event.prompt_personal_information or region is None or facts.in_mainland(region):
            return None
    elif exempt(export) is True and event.data_class not in {"important", "core"}:
        return None
    entity = facts.entity(export.entity if export is not None else None)
    name = entity.name if entity is not None else OTHER
    controller = (entity.controller or name) if entity is not None else OTHER
    # A clock that is far off may name any year: one account holds them all, so that labels stay few.
    account = Account(facts.tenant, controller, name, legal_year(facts.at_ms) if trusted else UNKNOWN_YEAR)
    persons: tuple[str, ...] = ()
    if export is not None and export.subjects is not None:
        persons = export.subjects
    elif event.user_key is not None:
        persons = (event.user_key,)
    problem = _problem(event, persons, facts.policy.person_key(controller, account.year))
    if entity is None:
        problem = "entity_unknown"
    elif not trusted:
        problem = "time_not_trusted"
    hashes = () if problem is not None else tuple(person[-64:] for person in persons)
    return Exported(account, bool(event.sensitive_personal_information), hashes, problem, legal_day(facts.at_ms))


def _problem(event: GenerationEvent, persons: tuple[str, ...], key_id: str | None) -> Problem | None:
    if event.prompt_personal_information is None:
        return "information_unknown"
    if event.sensitive_personal_information is None:
        return "sensitivity_unknown"
    if not persons:
        return "no_subject"
    for person in persons:
        if not is_person_key(person):
            return "not_a_keyed_hash"
        if key_id is None:
            return "key_not_registered"
        if person[1:-65] != key_id:
            return "key_of_another"
    return None
