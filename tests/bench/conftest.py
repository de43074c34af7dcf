"""What is marked `bench` runs only when it is asked for: by naming this folder or a file of it, or with `-m bench`."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "bench" in config.option.markexpr or any("bench" in argument for argument in config.args):
        return
    left = [item for item in items if item.get_closest_marker("bench") is not None]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item.get_closest_marker("bench") is None]
