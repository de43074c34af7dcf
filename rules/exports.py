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
from hegui.rules.policy import Entity
from hegui.rules.registry import OTHER
from hegui.rules.values import is_person_key

Problem = Literal[
    "entity_unknown",
    "time_not_trusted",
    "information_unknown",
    "region_unknown",
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

LEDGER_TENANT = "default"
"""Tenant of every export ledger, and of the issues of it: the limits are those of a legal entity, whichever tenants use it."""

DAY_MS = 86_400_000
PACE_DAYS = 7
"""Over how many legal days the pace is taken: a week, since weekdays and weekends differ."""


class Account(msgspec.Struct, frozen=True, array_like=True):
    """Whose ledger: one entity in one legal year. The controller decides where it is kept, so that all its entities are in one place."""

    tenant: str
    """Always `LEDGER_TENANT`: it stands in the keys under which accounts lie."""
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


class Together(msgspec.Struct, frozen=True):
    """What entities of one controller exported in a legal year that stay below a limit each, and hold nothing that allows more."""

    entities: int = 0
    """How many there are, the judged one among them; 0 when that one is not below the limit, or holds what it asks for."""
    ordinary: int = 0
    """Distinct persons over all of them, not sensitive; while that is below the limit anyway, the sum of what each exported."""
    sensitive: int = 0
    """As `ordinary`, for sensitive information."""
    uncounted: int = 0
    """Their exports that could not be counted by person."""


class ExportLedger(msgspec.Struct, frozen=True):
    """The state that the rules on exports judge: one account, as of its last export."""

    tenant: str
    """Always `LEDGER_TENANT`."""
    entity: str
    """The exporting entity."""
    year: int
    """Legal year, Asia/Shanghai."""
    ordinary: int
    """Distinct persons in the year whose information was not sensitive, with those that the policy adds (`export_settlements`)."""
    sensitive: int
    """As `ordinary`, for sensitive information."""
    uncounted: int
    """Exports in the year that could not be counted by person, and that the policy does not settle."""
    below_assessment: Together = Together()
    """The entities of the controller that need no security assessment by themselves, and hold none."""
    below_contract: Together = Together()
    """The entities of the controller that need no contract or certificate by themselves, and hold nothing."""
    new_ordinary_7_days: int = 0
    """Of `ordinary`, those whose first export lies in the legal day as of which the ledger is judged, or in the six before."""
    new_sensitive_7_days: int = 0
    """As `new_ordinary_7_days`, for sensitive information."""

    @property
    def service(self) -> str:
        """A ledger belongs to an entity and to no service."""
        return OTHER


def subject_of(entity: str, year: int) -> str:
    """Return whom an issue of an export ledger names: each legal year has issues of its own, so that none hides behind an older one."""
    return f"{entity}/{year}"


def controller_of(entity: Entity) -> str:
    """Return the ultimate controller of an entity of the policy: itself when none is named."""
    return entity.controller or entity.name


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


def is_over(year: int, at_ms: int) -> bool:
    """Tell whether a legal year is over at a time (epoch milliseconds); one that is not known never is."""
    return year != UNKNOWN_YEAR and at_ms >= year_end_ms(year)


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

    A prompt with personal information that goes to a model hosted abroad is an export too. Where it is not said whether the
    prompt held any, or where the model runs, it may be one: it cannot be counted, and is no silent zero. Exempt exports do not
    count (that exemptions are left out of the year's count is known from memory only); unlawful ones do, and so do exemptions
    without proof.

    Args:
        event: the event's data.
        facts: the facts as of the event.
        trusted: whether its time agrees with the broker's.
    """
    if event.prompt_personal_information is False:
        return None
    export = event.export
    region = event.model.hosting_region if event.model is not None else None
    if not event.exported and region is not None and facts.in_mainland(region):
        return None
    if exempt(export) is True and event.data_class not in {"important", "core"}:
        return None
    entity = facts.entity(export.entity if export is not None else None)
    name = entity.name if entity is not None else OTHER
    controller = controller_of(entity) if entity is not None else OTHER
    # A clock that is far off may name any year: one account holds them all, so that labels stay few.
    account = Account(LEDGER_TENANT, controller, name, legal_year(facts.at_ms) if trusted else UNKNOWN_YEAR)
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
    if not event.exported and (event.model is None or event.model.hosting_region is None):
        return "region_unknown"
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
