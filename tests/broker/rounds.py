"""Many rounds of kill -9, with a table: python -m tests.broker.rounds --role evaluator|state|both --rounds 30.

After every round violations, sums, issues, findings, export ledgers (to the person and the legal day) and the states of all other ledgers are compared with the
reference. `--events exports` sends nothing but exports, `traffic` nothing but the usual traffic; `mixed` both; as a rule events of the
other ledgers come too.
"""

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from hegui.rules.events import Envelope
from hegui.streams.simulation import traffic
from tests.broker.exports import ANY_TIME, exports, mixed
from tests.broker.harness import deployment
from tests.broker.kills import EVENTS, kill_round
from tests.broker.ledger_states import events as ledgers
from tests.broker.ledger_states import index_labels, stored
from tests.broker.processes import dice
from tests.servers.kafka import KafkaServer


def everything(clock_ms: Callable[[], int], *, seed: int, faults: float, run: str) -> Iterator[Envelope]:
    """Yield the usual traffic, exports, and events of every other ledger in turn."""
    usual = mixed(clock_ms, seed=seed, faults=faults, run=run)
    others = ledgers(clock_ms, seed=seed, run=f"{run}-l")
    while True:
        yield next(usual)
        yield next(others)


EVENT_KINDS = {"everything": everything, "mixed": mixed, "exports": exports, "traffic": traffic}


async def rounds(bootstrap: str, role: str, count: int, kind: str) -> int:
    """Run the rounds; return how many were not exact."""
    chance = dice()
    wrong = 0
    async with deployment(bootstrap, evaluator=ANY_TIME) as made:
        # No source is condemned: when the evaluators hear of it is no matter of events alone, and the reference knows no facts.
        index_labels(made, smallest_sample=10**9)
        evaluator = await made.daemon("evaluator").start()
        daemons = [evaluator]
        if role != "evaluator":
            daemons.append(await made.daemon("state").start())
        victims = {"evaluator": daemons[:1], "state": daemons[1:], "both": daemons}[role]
        print(f"{'round':>5}  {'killed at (s)':<40} {'restarts':>8}  {'exact':<5}  seconds", flush=True)
        for number in range(1, count + 1):
            done = await kill_round(made, victims, number, chance, EVENT_KINDS[kind])
            moments = ", ".join(f"{victim} {at:.2f}" for victim, at in done.killed_at)
            exact = "no" if done.faults else "yes"
            print(f"{number:>5}  {moments:<40} {done.restarts:>8}  {exact:<5}  {done.seconds:.1f}", flush=True)
            for fault in done.faults:
                print("       " + fault, flush=True)
            wrong += bool(done.faults)
        kept = sum(failures + waived for failures, waived in made.reference.totals.values())
        print(f"{count - wrong} of {count} rounds exact; {made.sent} events ({EVENTS} a round), {kept} failures")
        ledgers = made.reference.ledgers.values()
        persons = sum(len(ledger.ordinary) + len(ledger.sensitive) for ledger in ledgers)
        days = {day for ledger in ledgers for kind_ in ledger[:2] for day in kind_.values()}
        print(
            f"export ledgers: {len(ledgers)} accounts, {persons} persons of {len(days)} days, each compared in every round"
        )
        if role != "evaluator":
            states = Counter(state["ledger"] for state in (await stored(made)).values())
            print(f"other ledgers: {dict(states)}")
        if kind != "traffic" and not persons:
            print("no export was counted: the rounds show nothing about ledgers")
            wrong += 1
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=["evaluator", "state", "both"], required=True)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--events", choices=EVENT_KINDS, default="everything")
    given = parser.parse_args()
    with KafkaServer() as kafka:
        sys.exit(1 if asyncio.run(rounds(kafka.bootstrap, given.role, given.rounds, given.events)) else 0)


if __name__ == "__main__":
    main()
