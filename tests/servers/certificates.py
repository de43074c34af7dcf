"""Certificates for a server on 127.0.0.1, by the keytool that comes with Java."""

import subprocess
from pathlib import Path

from tests.servers.kafka_jars import java
from tests.servers.process import ServerError

PASSWORD = "not-a-secret"  # keytool makes no store without one
_DEADLINE_S = 60.0


class Authority:
    """A certificate authority of its own, which nobody trusts who was not given `certificate`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        """Make it in `folder`; `certificate` is a PEM file there."""
        self.folder = folder
        self._store = folder / f"{name}.p12"
        self.certificate = folder / f"{name}.pem"
        usage = ["-ext", "bc:critical=ca:true", "-ext", "ku:critical=keyCertSign,cRLSign"]
        self._keytool(self._store, "-genkeypair", *_key(f"CN=hegui tests {name}"), *usage)
        self._keytool(self._store, "-exportcert", "-rfc", "-file", str(self.certificate))

    def server_store(self) -> Path:
        """Make key and certificate of a server on 127.0.0.1; return the PKCS12 store, whose password is `PASSWORD`."""
        store, request, signed = (self.folder / f"server.{end}" for end in ("p12", "csr", "pem"))
        self._keytool(store, "-genkeypair", *_key("CN=hegui tests server"))
        self._keytool(store, "-certreq", "-file", str(request))
        names = ["-ext", "san=ip:127.0.0.1", "-ext", "ku:critical=digitalSignature", "-ext", "eku=serverAuth"]
        self._keytool(self._store, "-gencert", "-rfc", "-infile", str(request), "-outfile", str(signed), *names)
        self._keytool(store, "-importcert", "-noprompt", "-file", str(self.certificate), alias="authority")
        self._keytool(store, "-importcert", "-noprompt", "-file", str(signed))
        return store

    @staticmethod
    def _keytool(store: Path, command: str, *options: str, alias: str = "own") -> None:
        keytool = Path(java()).resolve().with_name("keytool")
        given = ["-keystore", str(store), "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", alias]
        done = subprocess.run(
            [str(keytool), "-J-XX:TieredStopAtLevel=1", command, *given, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_DEADLINE_S,
        )
        if done.returncode != 0:
            raise ServerError(f"keytool could not do {command}:\n{done.stdout.strip()}")


def _key(name: str) -> list[str]:
    return ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", "-dname", name]
