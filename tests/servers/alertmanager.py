"""An Alertmanager for the tests."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers import web
from tests.servers.ports import free_port
from tests.servers.process import Server, ServerError

_ADVICE = "install it (Debian: apt-get install --no-install-recommends prometheus-alertmanager)"


class AlertmanagerServer(Server):
    """Alertmanager with its own data and no cluster; see `Server` for start, stop and close."""

    def __init__(self, config: str | Path, *, options: Sequence[str] = (), deadline_s: float = 30.0) -> None:
        """`config` is the configuration itself (str) or a file with it (Path), which is copied.

        `options` are further arguments for the program; a start may take `deadline_s` seconds.
        """
        super().__init__("Alertmanager", deadline_s=deadline_s)
        self.options = list(options)
        self.address = f"127.0.0.1:{free_port()}"
        self._config = config
        self._config_path = self.folder / "alertmanager.yml"

    @property
    def url(self) -> str:
        """Base URL without a slash at the end; `address` is its host:port."""
        return f"http://{self.address}"

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts it holds, as its API v2 gives them; raises ServerError when refused."""
        status, body = web.request("GET", f"{self.url}/api/v2/alerts")
        try:
            return list(web.decode(status, body, "Alertmanager refused to list alerts"))
        except ValueError as error:
            raise ServerError(str(error)) from None

    def post(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Hand it alerts as Prometheus does: [{'labels': {..}, 'annotations': {..}, ..}].

        Raises ServerError with its reason when it refuses them.
        """
        status, body = web.request("POST", f"{self.url}/api/v2/alerts", list(alerts))
        if status != 200:
            raise ServerError(f"Alertmanager refused alerts: {body.decode().strip()}")

    def reload(self, config: str | Path | None = None) -> None:
        """Read the configuration again, a new one unless None.

        Raises ServerError with Alertmanager's reason; it then goes on with the old one.
        """
        if config is not None:
            self._config = config
        self._write_config()
        status, body = web.request("POST", f"{self.url}/-/reload")
        if status != 200:
            raise ServerError(f"Alertmanager refused to reload: {body.decode().strip()}")

    def _write_config(self) -> None:
        text = self._config if isinstance(self._config, str) else self._config.read_text("utf-8")
        self._config_path.write_text(text, "utf-8")

    def _prepare(self) -> Sequence[str]:
        # Debian's name of the program, then that of the project's own releases.
        program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
        if program is None:
            raise ServerError(f"there is no prometheus-alertmanager on PATH: {_ADVICE}")
        self._write_config()
        return [
            program,
            f"--config.file={self._config_path}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address={self.address}",
            "--cluster.listen-address=",
            *self.options,
        ]

    def _is_ready(self) -> bool:
        return web.is_ok(f"{self.url}/-/ready")
