"""The settings of malloc are taken on glibc and passed over elsewhere."""

import ctypes
import sys

import pytest

from hegui.streams.memory import keep_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_glibc_takes_the_settings() -> None:
    assert keep_memory() == hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def test_without_mallopt_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not keep_memory()


def test_on_other_systems_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_memory()
