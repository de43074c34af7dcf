"""The jars of Apache Kafka, fetched once by Maven into the user's cache folder.

`python -m tests.servers.kafka_jars` fetches them and prints the folder.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers.process import ServerError

POM = Path(__file__).with_name("pom.xml")
JAVA_AT_LEAST = 17
FETCH_DEADLINE_S = 900.0
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def java() -> str:
    """Path of a Java of version 17 or above: the one in JAVA_HOME, else the one on PATH.

    Raises ServerError saying what to install when there is none.
    """
    home = os.environ.get("JAVA_HOME")
    path = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    advice = f"install Java {JAVA_AT_LEAST} or above (Debian: apt-get install openjdk-17-jre-headless)"
    if path is None:
        where = "in JAVA_HOME" if home else "on PATH"
        raise ServerError(f"Kafka needs Java and there is none {where}: {advice}")
    shown = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60)
    # 'openjdk version "17.0.15" 2025-04-15'; Java 8 calls itself "1.8.0_412".
    found = re.search(r'version "(?:1\.)?(\d+)', shown.stderr + shown.stdout)
    if found is None or int(found[1]) < JAVA_AT_LEAST:
        version = f"version {found[1]}" if found else "of unknown version"
        raise ServerError(f"Kafka needs Java {JAVA_AT_LEAST} and {path} is {version}: {advice}")
    return path


def jars() -> Path:
    """The folder with Kafka's jars; fetches them (some 55 MB) when they are not there yet.

    Two runs at once are safe: one fetches, the other waits.
    Raises ServerError when Maven is missing or fails.
    """
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "hegui")
    folder = cache / f"kafka-{digest}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"kafka-{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, also by a crash
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(prefix="kafka-partial-", dir=cache) as partial:
                fetched = Path(partial, "jars")
                _fetch(fetched)
                fetched.rename(folder)
    return folder


def _fetch(folder: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise ServerError(
            "Kafka's jars are fetched by Maven and there is no mvn on PATH: install it (Debian: apt-get install maven)"
        )
    command = [mvn, "-q", "-B", "-f", str(POM), _COPY, f"-DoutputDirectory={folder}"]
    command.append("-DincludeScope=runtime")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FETCH_DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        raise ServerError(f"Maven did not fetch Kafka's jars within {FETCH_DEADLINE_S:g} s") from None
    if done.returncode != 0 or not any(folder.glob("kafka_2.13-*.jar")):
        tail = "\n".join(done.stdout.splitlines()[-15:])
        raise ServerError(
            f"Maven could not fetch Kafka's jars (is the Maven repository reachable?); its output ends with:\n{tail}"
        )


if __name__ == "__main__":
    try:
        java()
        print(jars())
    except ServerError as error:
        sys.exit(str(error))
