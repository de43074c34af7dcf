"""`hegui demo` as a newcomer runs it, its output piped."""

import re
import socket

import pytest

from hegui.rules.catalog import FAMILIES
from tests.end_to_end.deployment import hegui
from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.end_to_end


def check(*arguments: str) -> str:
    done = hegui("demo", *arguments, deadline_s=150)
    said = f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert "\x1b" not in done.stdout + done.stderr, "no colours and no cursor movements in a pipe"
    assert "Traceback" not in done.stderr, said
    _, _, summary = done.stdout.partition(" events sent, ")
    assert summary, said
    for family in FAMILIES:
        # The family's name, then a finding: rule id, status, service, count, title, and its legal basis.
        assert re.search(rf"(?m)^{family}\n  [A-Z]{{3}}\d{{3}} \w+ .+ \d+ (failed|waived).*\n +\[.+\]$", summary), (
            f"no finding of {family}\n{said}"
        )
    sent, judged = (
        int(n.replace(",", "")) for n in re.findall(r"([\d,]+) events sent, ([\d,]+) judged", done.stdout)[0]
    )
    assert sent == judged > 500, said
    assert re.search(r"findings: .*\d+ create", summary), said
    return done.stdout


def test_demo_with_its_own_broker() -> None:
    said = check("--seconds", "20", "--rate", "150")
    addresses = re.findall(r"127\.0\.0\.1:(\d+)", said.splitlines()[0])
    assert len(addresses) == 3, "the broker, two metrics ports"
    assert [port for port in addresses if listening(int(port))] == [], "nothing is left behind"


def test_demo_on_a_kafka_of_your_own(kafka: KafkaServer) -> None:
    said = check("--broker", kafka.bootstrap, "--seconds", "12", "--rate", "100")
    assert said.startswith(f"broker {kafka.bootstrap};")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
