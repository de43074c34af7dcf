"""Runs the command `hegui` in this process, through `main` as the installed script does."""

import io
import sys
from typing import NamedTuple

import pytest

from hegui.streams.cli import main


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def hegui(monkeypatch, capsys):
    monkeypatch.delenv("HEGUI_CONFIG", raising=False)

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["hegui", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        found = capsys.readouterr()
        assert "\x1b" not in found.out + found.err, "no colours when not on a terminal"
        assert "Traceback" not in found.err
        return Ran(code, found.out, found.err)

    return run
