"""LOC010."""

from hegui.rules import law
from hegui.rules.core import NOT_APPLICABLE, PASS, Result, fail, fails, inconclusive, passes, rule, skips, unclear
from hegui.rules.events import Export, GenerationEvent
from hegui.rules.evidence import Code
from hegui.rules.facts import Facts
from hegui.rules.policy import ZoneList


def _zone(version: str | None, zone: str | None = "shanghai-lingang") -> Export:
    return Export(entity="company", exemption="art_6", free_trade_zone=zone, list_version=version)


_TWO = {"zone_lists": (ZoneList(zone="beijing", version="2024"), ZoneList(zone="shanghai-lingang", version="2025"))}


@rule(
    "LOC010",
    on=GenerationEvent,
    zh="数据出境援引的自贸区负面清单版本已过时",
    severity="low",
    basis=(law.CROSS_BORDER_ART_6,),
    when={"exported": {True}},
    cases=(
        fails("last year's list", exported=True, export=_zone("2024")),
        fails("no version", exported=True, export=_zone("")),
        fails("another zone's version", exported=True, export=_zone("2024"), given=_TWO),
        passes("the list in force", exported=True, export=_zone("2025")),
        passes("the second zone of two", exported=True, export=_zone("2025"), given=_TWO),
        passes("the first zone of two", exported=True, export=_zone("2024", "beijing"), given=_TWO),
        skips(
            "another exemption",
            exported=True,
            export=Export(
                entity="company", exemption="art_5_1", free_trade_zone="shanghai-lingang", list_version="2024"
            ),
        ),
        skips("no exemption", exported=True, export=Export(entity="company", list_version="2024")),
        skips("nothing left the mainland", export=_zone("2024")),
        skips("before the law", at="2024-03-21T23:59:59+08:00", exported=True, export=_zone("2024")),
        unclear("zone not in the policy", exported=True, export=_zone("2025", "tianjin")),
        unclear("zone not stated", exported=True, export=_zone("2025", None)),
        unclear("version not stated", exported=True, export=_zone(None)),
        unclear("no details", exported=True),
        unclear("whether anything left is unknown", exported=None, export=_zone("2024")),
    ),
)
def zone_list_outdated(event: GenerationEvent, facts: Facts) -> Result:
    """An export relies on an outdated negative list of a free trade zone.

    Why: in a free trade zone only data outside the zone's negative list is exempt, and zones change their lists. The
    version relied on must be the one that the policy names for that zone.

    False positives: old events are replayed after the list changed; the policy knows only the list in force now.

    When it fires:
    1. Read `zone` and `in_force` in the evidence; check that version on the zone's site.
    2. If the zone has not changed its list, correct `zone_lists` in the policy.
    3. If it has, check the exported data against the new list and update the version that the service sends.
    """
    export = event.export
    if export is None:
        return inconclusive("export")
    if export.exemption != "art_6":
        return NOT_APPLICABLE
    if export.free_trade_zone is None:
        return inconclusive("export.free_trade_zone")
    if export.list_version is None:
        return inconclusive("export.list_version")
    for known in facts.policy.zone_lists:
        if known.zone == export.free_trade_zone:
            if known.version == export.list_version:
                return PASS
            return fail(
                "the list relied on is not the one in force",
                zone=Code(known.zone),
                in_force=Code(known.version),
                relied_on=export.list_version,
            )
    return inconclusive("the zone under zone_lists in the policy")
