"""Many rounds of kill -9, with a table: python -m tests.broker.rounds --role evaluator|state|both --rounds 30."""

import argparse
import asyncio
import sys

from tests.broker.harness import deployment
from tests.broker.kills import EVENTS, kill_round
from tests.broker.processes import dice
from tests.servers.kafka import KafkaServer


async def rounds(bootstrap: str, role: str, count: int) -> int:
    """Run the rounds; return how many were not exact."""
    chance = dice()
    wrong = 0
    async with deployment(bootstrap) as made:
        evaluator = await made.daemon("evaluator").start()
        daemons = [evaluator]
        if role != "evaluator":
            daemons.append(await made.daemon("state").start())
        victims = {"evaluator": daemons[:1], "state": daemons[1:], "both": daemons}[role]
        print(f"{'round':>5}  {'killed at (s)':<40} {'restarts':>8}  {'exact':<5}  seconds", flush=True)
        for number in range(1, count + 1):
            done = await kill_round(made, victims, number, chance)
            moments = ", ".join(f"{victim} {at:.2f}" for victim, at in done.killed_at)
            exact = "no" if done.faults else "yes"
            print(f"{number:>5}  {moments:<40} {done.restarts:>8}  {exact:<5}  {done.seconds:.1f}", flush=True)
            for fault in done.faults:
                print("       " + fault, flush=True)
            wrong += bool(done.faults)
        kept = sum(failures + waived for failures, waived in made.reference.totals.values())
        print(f"{count - wrong} of {count} rounds exact; {made.sent} events ({EVENTS} a round), {kept} failures")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--role", choices=["evaluator", "state", "both"], required=True)
    parser.add_argument("--rounds", type=int, default=30)
    given = parser.parse_args()
    with KafkaServer() as kafka:
        sys.exit(1 if asyncio.run(rounds(kafka.bootstrap, given.role, given.rounds)) else 0)


if __name__ == "__main__":
    main()
