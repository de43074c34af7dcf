"""A deployment on a real broker: what its processes wrote, compared with a reference made in memory."""

import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from hegui.rules.export_accounts import AccountState, ExportAccount
from hegui.rules.exports import Account
from hegui.rules.issues import LEVEL, Issue
from hegui.rules.observations import Mark, Observation, count
from hegui.rules.violations import Violation
from hegui.streams.state.export_table import is_export_key, read_accounts
from hegui.streams.state.issues import PROGRESS
from hegui.streams.state.ledgers import LEDGER
from hegui.streams.topics import changelog_name
from tests.broker.reference import Key, Ledger, Ledgers, Reference, Totals, difference
from tests.broker.topics import Topics

CLIENTS = ("aiokafka", "librdkafka")
"""What carries the evaluator, for tests of what depends on it."""

COOPERATIVE = "cooperative"
"""librdkafka in a cooperative group, beside the names of clients."""


def carried_by(client: str) -> dict[str, Any]:
    """The evaluator's settings for one of these."""
    if client == COOPERATIVE:
        return {"client": "librdkafka", "assignment": "cooperative-sticky"}
    return {"client": client}


class Deployment(Topics):
    """Topics and a group of their own on a shared broker, the processes on them, and their results."""

    # -- results

    async def table(self) -> dict[bytes, bytes]:
        """The issue table, read back from its changelog."""
        found: dict[bytes, bytes] = {}
        for record in await self.read(changelog_name(self.settings)):
            if record.value is None:
                found.pop(record.key, None)
            else:
                found[record.key] = record.value
        return found

    async def issues(self) -> dict[Key, Issue]:
        """The issues in the changelog, but for those of ledgers."""
        return {key: issue for key, issue in (await self.all_issues()).items() if LEVEL not in issue.marks}

    async def all_issues(self) -> dict[Key, Issue]:
        """All issues in the changelog."""
        found = {}
        for key, value in (await self.table()).items():
            if not key.startswith((PROGRESS, LEDGER)) and not is_export_key(key):
                issue = msgspec.json.decode(value, type=Issue)
                found[issue.tenant, issue.rule, issue.service] = issue
        return found

    async def ledgers(self) -> Ledgers:
        """The export ledgers in the changelog."""
        return _ledgers(read_accounts(await self.table()).values())

    async def observed_ledgers(self) -> Ledgers:
        """The export ledgers, folded from the observations as the state agents fold them."""
        accounts: dict[Account, ExportAccount] = {}
        for record in await self.read(self.settings.topics.observations):
            seen = msgspec.json.decode(record.value, type=Observation)
            for sum_ in seen.exports:
                account = accounts.setdefault(sum_.account, ExportAccount(AccountState(sum_.account)))
                account.step(seen, sum_)
        return _ledgers(accounts.values())

    async def ledger_faults(self) -> list[str]:
        """Where the ledgers differ from the reference, to the person and the day; call after `issues_settled`."""
        return ledger_differences("ledger", await self.ledgers(), (await self.update_reference()).ledgers)

    async def update_reference(self) -> Reference:
        """Judge the input records that are new since the last call."""
        for topic in (self.generation, self.ingest):
            records = await self.read(topic)
            for record in records[self._judged[topic] :]:
                gone = any(
                    (record.topic, record.partition) == lost[:2] and lost[2] <= record.offset < lost[3]
                    for lost in self.lost
                )
                if not gone:
                    self.reference.add(record)
            self._judged[topic] = len(records)
        return self.reference

    async def violations(self) -> dict[str, list[Violation]]:
        """Uid to the different records of it, without the positions of facts."""
        found: dict[str, list[Violation]] = {}
        for record in await self.read(self.settings.topics.violations):
            made = msgspec.structs.replace(msgspec.json.decode(record.value, type=Violation), facts={})
            versions = found.setdefault(made.uid, [])
            if made not in versions:
                versions.append(made)
        return found

    async def observed_totals(self) -> Totals:
        """The sums per issue key, folded from the observations as the state agents fold them."""
        marks: dict[tuple[Key, str], Mark] = {}
        for record in await self.read(self.settings.topics.observations):
            seen = msgspec.json.decode(record.value, type=Observation)
            for sum_ in seen.sums:
                at = ((sum_.tenant, sum_.rule, sum_.service), seen.source)
                marks[at] = count(marks.get(at), seen, sum_) or marks[at]
        totals: Totals = {}
        for (key, _), mark in marks.items():
            failures, waived = totals.get(key, (0, 0))
            totals[key] = (failures + mark.total[0], waived + mark.total[1])
        return {key: total for key, total in totals.items() if any(total)}

    async def dead_letters(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(r.value) for r in await self.read(self.settings.topics.dead_letters)]

    # -- comparisons

    async def evaluation_faults(self) -> list[str]:
        """Where the evaluators' results differ from the reference; call after `caught_up`."""
        reference = await self.update_reference()
        faults = []
        found = await self.violations()
        made_by = {made.rule_set for versions in found.values() for made in versions}
        if made_by - {reference.engine.rule_set}:
            faults.append(f"rule sets {made_by}, here {reference.engine.rule_set}: were rules edited during the run?")
        if missing := reference.violations.keys() - found.keys():
            places = sorted((v.topic, v.partition, v.offset) for u, v in reference.violations.items() if u in missing)
            faults.append(f"{len(missing)} violations missing, e.g. {places[:5]}")
        if extra := found.keys() - reference.violations.keys():
            faults.append(f"{len(extra)} violations too many")
        differing = [uid for uid, versions in found.items() if len(versions) > 1]
        if differing:
            faults.append(f"{len(differing)} uids with differing content, e.g. {found[differing[0]]}")
        wrong = [
            uid for uid in found.keys() & reference.violations.keys() if found[uid][0] != reference.violations[uid]
        ]
        if wrong:
            faults.append(f"{len(wrong)} violations unlike the reference, e.g. {found[wrong[0]]}")
        letters = {(r["topic"], r["partition"], r["offset"], r["reason"]) for r in await self.dead_letters()}
        if letters != reference.dead_letters:
            faults.append(f"dead letters differ: {letters ^ reference.dead_letters}")
        faults += ledger_differences("ledger in the observations", await self.observed_ledgers(), reference.ledgers)
        return faults + difference("sums of the observations", await self.observed_totals(), reference.totals)

    async def state_faults(self) -> list[str]:
        """Where the issues and findings differ from the reference; call after `issues_settled`."""
        reference = await self.update_reference()
        issues = await self.issues()
        faults = difference("issues", {k: (i.failures, i.waived) for k, i in issues.items()}, reference.totals)
        faults += [f"issue {key} is in episode {i.episode}" for key, i in issues.items() if i.episode != 1]
        faults += await self.ledger_faults()
        uids = {issue.finding_uid: key for key, issue in (await self.all_issues()).items()}
        sent: dict[bytes, Any] = {}
        for record in await self.read(self.settings.topics.findings):
            sent[record.key] = msgspec.json.decode(record.value)
        faults += [f"finding {key!r} belongs to no issue" for key in sent if key.decode() not in uids]
        faults += [f"issue {key} has no finding" for uid, key in uids.items() if uid.encode() not in sent]
        faults += [
            f"finding {key!r} carries another uid"
            for key, f in sent.items()
            if f["finding_info"]["uid"] != key.decode()
        ]
        return faults

    async def everything_written(self) -> Iterator[bytes]:
        """All bytes that the daemons wrote: records of the output topics, and logs."""
        names = self.settings.topics
        written = [d.log.encode() for d in self.daemons]
        for topic in (
            names.violations,
            names.observations,
            names.findings,
            names.dead_letters,
            names.coverage_gaps,
            changelog_name(self.settings),
        ):
            for record in await self.read(topic):
                written += [record.key or b"", record.value or b"", *(v for _, v in record.headers)]
        return iter(written)

    async def close(self) -> None:
        for daemon in self.daemons:
            daemon.kill()
        for tail in self._tails.values():
            await tail.close()
        if self._producer is not None:
            await self._producer.stop()
        if self._admin is not None:
            await self._admin.close()


def _ledgers(accounts: Iterable[ExportAccount]) -> Ledgers:
    return {
        one.state.account: Ledger(one.ordinary.days, one.sensitive.days, Counter(one.state.uncounted()))
        for one in accounts
    }


def ledger_differences(what: str, found: Ledgers, wanted: Ledgers) -> list[str]:
    """One line, without persons, for every account in which two sets of ledgers differ."""
    faults = []
    for account in found.keys() | wanted.keys():
        one, other = (ledgers.get(account, Ledger({}, {}, Counter())) for ledgers in (found, wanted))
        if one != other or (account in found) is not (account in wanted):
            persons = [
                f"{kind}: {len(a.keys() - b.keys())} too many, {len(b.keys() - a.keys())} missing, "
                f"{sum(a[person] != b[person] for person in a.keys() & b.keys())} on another day"
                for kind, a, b in (
                    ("ordinary", one.ordinary, other.ordinary),
                    ("sensitive", one.sensitive, other.sensitive),
                )
            ]
            faults.append(
                f"{what} {account}: {'; '.join(persons)}; not counted: {one.uncounted}, wanted {other.uncounted}"
            )
    return faults


@asynccontextmanager
async def deployment(bootstrap: str, *, create: bool = True, spare: int = 0, **overrides: Mapping[str, Any]):
    """A deployment with its topics; its processes are killed and its folder removed at the end. `spare`: partitions of one more input, which stays empty."""
    name = f"t{uuid.uuid4().hex[:10]}"
    folder = Path(tempfile.mkdtemp(prefix=f"hegui-broker-{name}-"))
    made = Deployment(bootstrap, folder, name, overrides, spare)
    try:
        if create:
            await made.create()
        yield made
    except BaseException:
        for daemon in made.daemons:
            print(daemon.log_tail(30))
        raise
    finally:
        await made.close()
        if "KEEP" in os.environ:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
