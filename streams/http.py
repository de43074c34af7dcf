"""`/metrics`, `/livez` and `/readyz` on one port."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Check = Callable[[], str | None]
"""Returns None when all is well, else why not."""


class HttpServer:
    """Serves until `stop`. `readiness` and `liveness` name checks; any that answers a reason makes the endpoint 503."""

    def __init__(
        self,
        registry: CollectorRegistry,
        liveness: Mapping[str, Check],
        readiness: Mapping[str, Check],
        before_scrape: Callable[[], None] = lambda: None,
    ) -> None:
        self._registry = registry
        self._checks = {"/livez": liveness, "/readyz": readiness}
        self._before_scrape = before_scrape
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Bind and serve; return the port.

        Raises:
            OSError: the address is taken.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        for path in self._checks:
            app.router.add_get(path, self._check)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop serving. Calling twice is safe."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.Response:
        self._before_scrape()
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})

    async def _check(self, request: web.Request) -> web.Response:
        reasons = failing(self._checks[request.path])
        body = msgspec.json.encode({"ok": not reasons, "reasons": reasons})
        return web.Response(body=body, status=503 if reasons else 200, content_type="application/json")


def failing(checks: Mapping[str, Check]) -> dict[str, str]:
    """Return the checks that fail, with their reasons."""
    found = {name: check() for name, check in checks.items()}
    return {name: reason for name, reason in found.items() if reason is not None}
