"""Receives what others post: a small HTTP server that keeps the JSON bodies."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class WebhookReceiver:
    """An HTTP server on a free port of 127.0.0.1, as a context manager.

    Answers every POST with `status` (set it to 500 to play a receiver that fails) and keeps its
    JSON body whatever the status; a body that is not JSON is answered 400 and not kept.
    """

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self._bodies: list[Any] = []
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """Where to post to; any path below it does as well."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def bodies(self) -> list[Any]:
        """The bodies posted so far, oldest first."""
        with self._changed:
            return list(self._bodies)

    def clear(self) -> None:
        """Forget the bodies posted so far."""
        with self._changed:
            self._bodies.clear()

    def wait_for(self, predicate: Callable[[Any], bool], deadline_s: float) -> Any:
        """The first body, posted before or from now on, for which `predicate(body)` holds.

        Raises TimeoutError with the bodies that came when there is none in `deadline_s` seconds.
        """
        found: list[Any] = []

        def holds() -> bool:
            found.extend(body for body in self._bodies if predicate(body))
            return bool(found)

        with self._changed:
            if not self._changed.wait_for(holds, deadline_s):
                raise TimeoutError(f"no such body within {deadline_s:g} s; received: {self._bodies}")
        return found[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _keep(self, body: Any) -> None:
        with self._changed:
            self._bodies.append(body)
            self._changed.notify_all()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    body = json.loads(data)
                except ValueError:
                    self._answer(400)
                    return
                receiver._keep(body)
                self._answer(receiver.status)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing: the test's output is not this server's log."""

        return Handler
