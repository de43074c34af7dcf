"""Which lines of a daemon's log are trouble, and which are explained by a busy machine on which the broker stood up all the time."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator

_TROUBLE = re.compile(r'Traceback|"level": ?"(warning|error|critical)"')
_NO_COORDINATOR_YET = "GroupCoordinatorNotAvailableError"
"""aiokafka calls it an error when the first group of a new cluster waits for its coordinator."""
_COORDINATOR_DEAD = re.compile(r"^Marking the coordinator dead \(node \d+\) ?for group (\S+)\.$")
_NO_ANSWER_IN_TIME = re.compile(
    r"^(Error sending \w+ to node \d+ \[.*RequestTimedOutError.*\] -- marking coordinator dead|Heartbeat session expired - marking coordinator dead)$"
)
ONCE = 1
"""How often a group may lose sight of its coordinator: a busy machine lets one answer come late, a broker that is gone is missed again and again."""


def trouble(log: str) -> list[str]:
    """Return the lines that tell of trouble.

    That the coordinator is taken for dead is none, once for each group, with the late answer that goes before it: a lone broker that stood up is its
    coordinator, and a member that then loses its place, or cannot commit, says so in other lines (`Heartbeat failed`, `OffsetCommit failed`), which are
    trouble. Ask it only where the test saw that the broker stood up and everything was judged and committed at the end.
    """
    return list(_unexplained(line for line in log.splitlines() if _TROUBLE.search(line)))


def _unexplained(lines: Iterable[str]) -> Iterator[str]:
    told = [(line, _event(line)) for line in lines if _NO_COORDINATOR_YET not in line]
    dead: Counter[str] = Counter(found[1] for _, event in told if (found := _COORDINATOR_DEAD.match(event)))
    late = sum(bool(_NO_ANSWER_IN_TIME.match(event)) for _, event in told)
    for line, event in told:
        found = _COORDINATOR_DEAD.match(event)
        if found and dead[found[1]] <= ONCE:
            continue
        if _NO_ANSWER_IN_TIME.match(event) and late <= len(dead) * ONCE:
            continue
        yield line


def _event(line: str) -> str:
    try:
        return str(json.loads(line)["event"])
    except (ValueError, KeyError, TypeError):
        return ""
