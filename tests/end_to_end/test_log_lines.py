"""What a role writes to standard error while its broker is not there, and that it can be ended then."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from tests.end_to_end.deployment import HEGUI, STOP_S
from tests.end_to_end.log_trouble import trouble
from tests.servers.ports import free_port

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has sockets that keep writes apart"),
]

WAIT_S = 60.0


@pytest.fixture(scope="module", params=["evaluator", "state", "sweeper"])
def writes(request: pytest.FixtureRequest) -> list[bytes]:
    """Every single write to standard error, from the start to the end by SIGTERM."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = os.environ | {
        "PYTHONUNBUFFERED": "1",  # as in our container image
        "HEGUI_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "HEGUI_HTTP__PORT": "0",
        "HEGUI_HTTP__STATE_PORT": "0",
        "HEGUI_HTTP__SWEEP_PORT": "0",
    }
    made: list[bytes] = []
    with ours, subprocess.Popen([HEGUI, "run", "--role", request.param], stderr=theirs, env=environment) as process:
        theirs.close()
        ours.settimeout(WAIT_S)
        try:
            while b"broker_not_reached" not in b"".join(made):
                made.append(ours.recv(65536))
            process.send_signal(signal.SIGTERM)
            while written := ours.recv(65536):
                made.append(written)
            assert process.wait(STOP_S) == 0
        finally:
            process.kill()
    return made


DEAD = "Marking the coordinator dead (node 1)for group {}."
LATE = "Error sending HeartbeatRequest_v1 to node 1 [[Error 7] RequestTimedOutError] -- marking coordinator dead"
EXPIRED = "Heartbeat session expired - marking coordinator dead"


def logged(*events: str, level: str = "warning") -> str:
    return "".join(json.dumps({"event": event, "level": level}) + "\n" for event in events)


@pytest.mark.parametrize(
    "log",
    [
        "",
        logged("state_recovered", level="info"),
        logged("Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError", level="error"),
        logged(DEAD.format("hegui-state")),
        logged(LATE, DEAD.format("hegui"), EXPIRED, DEAD.format("hegui-state")),
    ],
)
def test_a_coordinator_whose_answer_came_late_once_is_no_trouble(log: str) -> None:
    assert trouble(log) == []


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        (logged("anything else"), 1),
        (logged("rule_raised", level="error"), 1),
        ("Traceback (most recent call last):\n", 1),
        # The broker is missed again, or nobody says which group missed it.
        (logged(DEAD.format("hegui"), DEAD.format("hegui")), 2),
        (logged(LATE), 1),
        (logged(LATE, EXPIRED, DEAD.format("hegui")), 2),
        # What follows when the group has given the member up.
        (logged(DEAD.format("hegui"), "Heartbeat failed: local member_id was not recognized;"), 1),
        (logged("OffsetCommit failed for group hegui - RequestTimedOutError", level="error"), 1),
        (logged(LATE.replace("RequestTimedOutError", "NodeNotReadyError"), DEAD.format("hegui")), 1),
    ],
)
def test_real_trouble_is_told_from_it(log: str, lines: int) -> None:
    assert len(trouble(log)) == lines


def test_a_log_line_is_one_write(writes: list[bytes]) -> None:
    # `hegui run` gives both roles one standard error; a line in two writes is torn by the other role's.
    assert [write for write in writes if not (write.startswith(b"{") and write.endswith(b"}\n"))] == []


def test_sigterm_without_a_broker_ends_in_order(writes: list[bytes]) -> None:
    logged = [json.loads(line) for line in b"".join(writes).splitlines()]
    assert "stopped" in [line["event"] for line in logged]
    # aiokafka reports each failed connection.
    trouble = [line for line in logged if line["level"] == "error" and "Unable connect" not in line["event"]]
    assert trouble == []
