"""A Prometheus server for the tests."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.servers import web
from tests.servers.ports import free_port
from tests.servers.process import Server, ServerError, wait_until

_ADVICE = "install it (Debian: apt-get install --no-install-recommends prometheus)"


class PrometheusServer(Server):
    """Prometheus with its own data; see `Server` for start, stop, kill and close."""

    def __init__(
        self,
        config: str | Path,
        rule_files: Sequence[Path] = (),
        *,
        options: Sequence[str] = (),
        deadline_s: float = 30.0,
    ) -> None:
        """`config` is the configuration itself (str) or a file with it (Path).

        The file is copied: names of files in it are best absolute. `rule_files` are added to
        it, so it may not have `rule_files` of its own then. `options` are further arguments for
        the program. A start may take `deadline_s` seconds.
        """
        super().__init__("Prometheus", deadline_s=deadline_s)
        self.rule_files = list(rule_files)
        self.options = list(options)
        self.address = f"127.0.0.1:{free_port()}"
        self._config = config
        self._config_path = self.folder / "prometheus.yml"

    @property
    def url(self) -> str:
        """Base URL without a slash at the end."""
        return f"http://{self.address}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The results of an instant query, now: [{'metric': {..}, 'value': [time_s, 'text']}].

        A scalar comes as one result without labels. Raises ServerError when it is refused.
        """
        data = self.api("query?" + urlencode({"query": expr}))
        if data["resultType"] in ("scalar", "string"):
            return [{"metric": {}, "value": data["result"]}]
        return list(data["result"])

    def wait_for(
        self, expr: str, predicate: Callable[[list[dict[str, Any]]], bool], deadline_s: float
    ) -> list[dict[str, Any]]:
        """Repeat the query until `predicate(results)` holds, and return those results.

        Raises TimeoutError with the last results after `deadline_s` seconds.
        """
        results: list[dict[str, Any]] = []

        def holds() -> bool:
            results[:] = self.query(expr)
            return predicate(results)

        try:
            wait_until(holds, deadline_s, f"Prometheus query {expr}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; last results: {results}") from None
        return results

    def alerts(self) -> list[dict[str, Any]]:
        """The pending and firing alerts of the rule files."""
        return list(self.api("alerts")["alerts"])

    def api(self, path: str) -> Any:
        """The 'data' of GET /api/v1/`path`; raises ServerError when it is refused."""
        status, body = web.request("GET", f"{self.url}/api/v1/{path}")
        try:
            return web.decode(status, body, f"Prometheus refused {path}")["data"]
        except ValueError as error:
            raise ServerError(str(error)) from None

    def reload(self, config: str | Path | None = None) -> None:
        """Read the configuration (a new one unless None) and the rule files again.

        Raises ServerError with Prometheus' reason; it then goes on with the old ones.
        """
        if config is not None:
            self._config = config
        self._write_config()
        status, body = web.request("POST", f"{self.url}/-/reload")
        if status != 200:
            raise ServerError(f"Prometheus refused to reload: {body.decode().strip()}")

    def _write_config(self) -> None:
        text = self._config if isinstance(self._config, str) else self._config.read_text("utf-8")
        if self.rule_files:
            if any(line.startswith("rule_files:") for line in text.splitlines()):
                raise ServerError("give rule files in the configuration or beside it, not both")
            # In a single-quoted YAML string nothing but the quote itself has to be escaped.
            names = [str(path.resolve()).replace("'", "''") for path in self.rule_files]
            text += "\nrule_files:\n" + "".join(f"  - '{name}'\n" for name in names)
        self._config_path.write_text(text, "utf-8")

    def _prepare(self) -> Sequence[str]:
        program = shutil.which("prometheus")
        if program is None:
            raise ServerError(f"there is no prometheus on PATH: {_ADVICE}")
        self._write_config()
        return [
            program,
            f"--config.file={self._config_path}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
            *self.options,
        ]

    def _is_ready(self) -> bool:
        return web.is_ok(f"{self.url}/-/ready")
