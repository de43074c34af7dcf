"""HTTP requests to the servers of the tests."""

import json
import urllib.error
import urllib.request
from typing import Any

# The servers are on 127.0.0.1: a proxy named in the environment must not get these requests.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def request(method: str, url: str, body: object = None, *, timeout_s: float = 10.0) -> tuple[int, bytes]:
    """Send a request, with `body` as JSON unless None; return status and body of any answer.

    Raises OSError when there is no answer within `timeout_s` seconds.
    """
    data = None if body is None else json.dumps(body).encode()
    headers = {} if data is None else {"Content-Type": "application/json"}
    message = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _opener.open(message, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def is_ok(url: str) -> bool:
    """Whether GET `url` answers 200 within one second."""
    try:
        return request("GET", url, timeout_s=1.0)[0] == 200
    except OSError:
        return False


def decode(status: int, body: bytes, what: str) -> Any:
    """The JSON value in `body`; raises ValueError naming `what` unless `status` is 200."""
    if status != 200:
        raise ValueError(f"{what}: HTTP {status}: {body.decode('utf-8', 'replace').strip()}")
    return json.loads(body)
