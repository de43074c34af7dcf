"""The command `hegui` for the tests of this folder."""

from tests.streams.commands.conftest import hegui

__all__ = ["hegui"]
