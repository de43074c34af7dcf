"""The repository says of itself what is true: packages, settings page, commands in the pages, links between pages."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hegui.streams.cli import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in {"build", "pages"} for part in page.relative_to(ROOT).parts)
)


def test_every_package_is_listed_for_installation():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"])
    found = {
        "hegui." + ".".join(init.parent.relative_to(ROOT).parts)
        for top in ("rules", "streams")
        for init in (ROOT / top).rglob("__init__.py")
    }
    assert found == listed


def test_the_settings_page_is_fresh():
    made = subprocess.run(
        [sys.executable, "-m", "hegui.streams", "config", "keys", "--format", "markdown"],
        capture_output=True,
        check=True,
    )
    assert (ROOT / "streams" / "settings.md").read_bytes() == made.stdout, "run `make pages`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_pages_exist(page):
    text = page.read_text("utf-8")
    for command in re.findall(r"(?:`|    |/)hegui ([a-z]+)", text):
        assert command in COMMANDS, f"{page.name} speaks of `hegui {command}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_make_targets_in_the_pages_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE)) <= {
            (target, "") for target in targets
        } | {("", target) for target in targets}
