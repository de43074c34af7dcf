"""The servers of the tests say why they do not start, and leave no process behind."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.servers import kafka_jars, web
from tests.servers.alertmanager import AlertmanagerServer
from tests.servers.kafka import KafkaServer
from tests.servers.process import ServerError, wait_until
from tests.servers.prometheus import PrometheusServer

ROOT = Path(__file__).parents[2]
CONFIG = """
route: {receiver: nobody}
receivers: [{name: nobody}]
"""


@pytest.mark.broker
def test_kafka_that_cannot_start_shows_the_end_of_its_log() -> None:
    with pytest.raises(ServerError, match=r"(?s)exited with code 1.*no\.such\.Authorizer"):
        KafkaServer({"authorizer.class.name": "no.such.Authorizer"}).__enter__()


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.8.0_412", "needs Java 17 and .* is version 8: install Java 17"),
        ("11.0.2", "is version 11"),
        (None, "there is none in JAVA_HOME: install Java 17"),
    ],
)
def test_an_unfit_java_is_named(
    version: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is not None:
        fake = tmp_path / "bin" / "java"
        fake.parent.mkdir()
        fake.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        fake.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ServerError, match=message):
        kafka_jars.java()


def test_missing_or_failing_maven_is_named_and_leaves_no_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match="no mvn on PATH: install it"):
        kafka_jars.jars()
    fake = tmp_path / "mvn"
    fake.write_text("#!/bin/sh\necho no network\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(ServerError, match=r"(?s)could not fetch.*no network"):
        kafka_jars.jars()
    assert [path.suffix for path in (tmp_path / "cache" / "hegui").iterdir()] == [".lock"]


@pytest.mark.parametrize("server", [PrometheusServer, AlertmanagerServer])
def test_a_missing_program_and_a_bad_configuration_are_named(
    server: type[PrometheusServer | AlertmanagerServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ServerError, match=r"(?s)exited with code \d.*nonsense"):
        server("nonsense: true").__enter__()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerError, match="on PATH: install it"):
        server("").__enter__()


def test_a_server_started_in_a_thread_outlives_the_thread() -> None:
    server = AlertmanagerServer(CONFIG)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        assert len(server.alerts()) == 0
    finally:
        server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")
def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    code = f"""
import sys
from tests.servers.alertmanager import AlertmanagerServer
with AlertmanagerServer({CONFIG!r}) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().strip()
        try:
            assert web.is_ok(f"{url}/-/ready")
        finally:
            owner.kill()
        wait_until(lambda: not web.is_ok(f"{url}/-/ready"), 10, "the server's end")
