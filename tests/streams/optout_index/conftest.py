import pytest

from hegui.streams.optout_index import feed as feed_module
from hegui.streams.optout_index import writer as writer_module
from tests.streams.optout_index.processes import Broker


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(feed_module, "IDENTITY_SECONDS", 0.01)
    monkeypatch.setattr(writer_module, "AGAIN_SECONDS", 0.05)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)
