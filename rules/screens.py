"""Quick looks that several rules share (`screen=` of the decorator): where one says True, all its rules pass and none is called.

Nearly every event is sound, and a call of a rule costs 0.2 us, half of it for the call. A screen must never say True of an event
that one of its rules would not pass; it says False of whatever is not plain, and the rules then speak for themselves. Tests
compare the answers with and without screens for arbitrary events.
"""

from __future__ import annotations

from hegui.rules.events import GenerationEvent, IngestEvent
from hegui.rules.facts import Facts
from hegui.rules.labelling.annex_e import parse
from hegui.rules.labelling.provider_code import problem_of
from hegui.rules.labelling.wording import elements

_BOTH = (True, True)
_LONGEST_SIX_MONTHS_MS = 184 * 86_400_000
"""No six calendar months are longer (July to December)."""


def kept_and_moderated(event: GenerationEvent, facts: Facts) -> bool:
    """See an output that was moderated before delivery, whose log is kept in the mainland and long enough, for a user who is not suspended, and who is known where the input was refused."""
    moderation, until_ms, region = event.moderation, event.log_retain_until_ms, event.log_region
    if moderation is None or until_ms is None or region is None:
        return False
    decided_at_ms, delivered_at_ms = moderation.decided_at_ms, event.delivered_at_ms
    return (
        decided_at_ms is not None
        and moderation.verdict not in _UNMODERATED
        and bool(moderation.engine_version)
        and decided_at_ms <= (facts.at_ms if delivered_at_ms is None else delivered_at_ms)
        and until_ms >= facts.at_ms + _LONGEST_SIX_MONTHS_MS
        # Asked before, nearly always: half the cost of the call.
        and (facts.snapshot.regions.get(region) or facts.in_mainland(region))
        and (not facts.snapshot.suspensions.records or _is_not_suspended(event.user_key, facts))
        and (moderation.input_verdict != "block" or event.user_key is not None)
    )


def _is_not_suspended(user_key: str | None, facts: Facts) -> bool:
    return user_key is not None and facts.suspension(user_key) is None


_UNMODERATED = frozenset({None, "none"})


def sound_explicit_label(event: GenerationEvent, facts: Facts) -> bool:  # noqa: ARG001 - the form of a screen
    """See an explicit label with both elements: of a picture, in the file and large enough at its edge; of a text, in its course."""
    label = event.explicit_label
    if label is None or not label.present or label.text is None or label.form == "corner_mark":
        return False
    if elements(label.text) != _BOTH:
        return False
    if event.delivery is None or not (label.in_file or event.delivery in _NO_FILES):
        return False
    if event.modality == "text":
        return bool(label.ui_persistent) or label.position in _IN_COURSE
    media, height = event.media, label.height_px
    if event.modality != "image" or media is None or height is None or label.position not in _OUTER:
        return False
    across, down = media.width_px, media.height_px
    return across is not None and down is not None and (across <= height * 20 or height * 20 >= down)


_NO_FILES = frozenset({"inline", "ui_stream", "api"})
_IN_COURSE = frozenset({"start", "middle", "end"})
_OUTER = frozenset({"edge", "corner"})


def sound_file_label(event: GenerationEvent, facts: Facts) -> bool:
    """See a file that was read back and holds one label in the form of Annex E, with the service's own code and a number."""
    implicit, service = event.implicit_label, facts.service
    if implicit is None or service is None or not implicit.read_back:
        return False
    sites = implicit.sites
    if sites is None or len(sites) != 1:
        return False
    label = parse(sites[0].value)
    producer, number = label.producer, label.produce_id
    return (
        label.problem is None
        and label.label == "1"
        and producer is not None
        and producer == service.provider_code
        and problem_of(producer) is None
        and number is not None
        and bool(number.strip("0-"))
        and bool(label.reserved_code_1)
        and label.propagator == ""  # a name, which the rule on it passes
    )


def sound_record(event: IngestEvent, facts: Facts) -> bool:
    """See a record of an assessed source, not condemned, that was filtered, is lawful, holds no important data and lies in the mainland."""
    check, assessed_at_ms, region, source = (
        event.content_check,
        event.assessed_at_ms,
        event.storage_region,
        event.source_id,
    )
    return (
        check is not None
        and check.illegal is False
        and bool(check.engine_version)
        and bool(event.assessment_reference)
        and assessed_at_ms is not None
        and assessed_at_ms <= facts.at_ms
        and event.legally_blocked is False
        and event.rights_information_removed is False
        and event.data_class == "general"
        and region is not None
        and (facts.snapshot.regions.get(region) or facts.in_mainland(region))
        and event.assessment is None
        and source is not None
        and (not facts.snapshot.sources.records or facts.condemned(source) is None)
    )


def documented_crawl(event: IngestEvent, facts: Facts) -> bool:
    """See a crawled record whose collection is on record, from a source that neither refused nor had to be got into."""
    crawl = event.crawl
    if crawl is None or event.source_type != "crawl":
        return False
    fetched_at_ms, seen_at_ms = crawl.fetched_at_ms, crawl.robots_seen_at_ms
    return (
        fetched_at_ms is not None
        and seen_at_ms is not None
        and 0 <= fetched_at_ms - seen_at_ms <= facts.snapshot.policy.robots_max_age_hours * _HOUR_MS
        and crawl.robots in _NOT_REFUSED
        and crawl.tdm_reservation == 0
        and crawl.noai is False
        and crawl.usage_preference != "deny"
        and crawl.technical_measures_bypassed is False
        and crawl.behind_login is False
        and bool(crawl.collection_record)
    )


_HOUR_MS = 3_600_000
_NOT_REFUSED = frozenset({"allow", "absent"})
