"""What a rule showed of a ledger stands in the finding and is what was judged last."""

from hegui.rules.engine import rule_set_hash
from hegui.rules.ledgers.sources import SourceSum
from tests.streams.example import BOOK, POLICY
from tests.streams.state.test_ledgers import NOW_MS, SOURCE, Ledgers


def source(sampled, illegal, of=SOURCE):
    return SourceSum(tenant="default", source=of, last_ms=NOW_MS, sampled=sampled, illegal=illegal)


def test_the_finding_of_a_source_says_how_many_records_were_illegal():
    ledgers = Ledgers()
    (finding,) = [f for f in ledgers.tell(source(1_000, 51)) if f["compliance"]["control"] == "TRN018"]
    assert finding["compliance"]["status_detail"] == "more than 5 % are illegal"
    assert finding["unmapped"]["evidence"]["illegal"] == 51
    assert finding["unmapped"]["evidence"]["sampled"] == 1_000
    assert finding["resources"][0] == {"uid": SOURCE, "name": SOURCE, "type": "data source"}


def test_more_illegal_records_are_told_with_the_next_update():
    ledgers = Ledgers()
    ledgers.tell(source(1_000, 51))
    updates = [f for f in ledgers.tell(source(1_000, 60)) if f["compliance"]["control"] == "TRN018"]
    assert [(f["activity_name"], f["unmapped"]["evidence"]["illegal"]) for f in updates] == [("Update", 111)]


def test_a_restart_tells_nothing_again():
    ledgers = Ledgers()
    ledgers.tell(source(1_000, 51))
    after = Ledgers(ledgers.table)
    after.offset = ledgers.offset
    assert after.tick() == []


def test_the_finding_that_closes_still_says_what_was_found():
    ledgers = Ledgers()
    ledgers.tell(source(1_000, 51))
    fewer = tuple(rule for rule in BOOK if rule.id != "TRN018")
    ledgers.keeper.use(POLICY, fewer, BOOK, rule_set_hash(fewer))
    (closed,) = [f for f in ledgers.tick() if f["compliance"]["control"] == "TRN018"]
    assert (closed["activity_name"], closed["unmapped"]["evidence"]["illegal"]) == ("Close", 51)
