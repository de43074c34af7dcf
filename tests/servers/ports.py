"""Free TCP ports on 127.0.0.1 for servers that must know their port beforehand."""

import random
import socket

# Below the range Linux takes the ports of outgoing connections from (32768 and up). Within it a
# stopped server's port could be taken before the restart, and a client that keeps trying to
# reach the port could even be connected to itself.
_LOW, _HIGH = 20000, 32000
_given: set[int] = set()


def free_port() -> int:
    """A port nothing listens on, never the same one twice in this process.

    Raises RuntimeError when none is found.
    """
    for _ in range(1000):
        port = random.randrange(_LOW, _HIGH)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free TCP port on 127.0.0.1 between {_LOW} and {_HIGH}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
