"""The page on rule packs is right: its files make a pack, and its commands print what it shows."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

import hegui.rules

PAGE = (Path(hegui.rules.__file__).parent / "WRITING.md").read_text("utf-8")
BLOCK = re.compile(r"^(?:`(?P<file>[^`\n]+)`:\n\n)?```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL = "pip install --editable ."
LEFT_OUT = "..."


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a console block with the output shown."""
    command = ""
    for is_command, lines in groupby(block.splitlines(), lambda line: line.startswith("$ ")):
        if not is_command:
            yield command, list(lines)
            command = ""
            continue
        for line in lines:
            if command:
                yield command, []
            command = line.removeprefix("$ ")
    if command:
        yield command, []


def shows(expected: list[str], printed: list[str]) -> bool:
    """Tell whether output is as shown; `...` stands for lines left out, none or more."""
    if not expected:
        return not printed
    if expected[0] == LEFT_OUT:
        return any(shows(expected[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and expected[0] == printed[0].rstrip() and shows(expected[1:], printed[1:])


def install(project: Path, site: Path) -> None:
    """Do what an editable installation does, without network: write the metadata; the project itself is on the path."""
    about = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    name, version = about["project"]["name"], about["project"]["version"]
    for package in about["tool"]["setuptools"]["packages"]:
        assert (project / package / "__init__.py").exists()
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
    groups = about["project"]["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items()) for group, found in groups]
    (info / "entry_points.txt").write_text("".join(lines), "utf-8")


def run(command: str, project: Path, site: Path) -> list[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{project}{os.pathsep}{site}",
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode().splitlines()


def test_every_block_of_the_page_is_a_file_or_a_session():
    blocks = list(BLOCK.finditer(PAGE))
    assert len(blocks) == PAGE.count("\n```") / 2
    assert all(block["file"] or block["language"] == "console" for block in blocks)


def test_the_page_makes_a_pack_and_shows_what_its_commands_print(tmp_path: Path):
    project, site = tmp_path / "project", tmp_path / "site"
    ran = []
    for block in BLOCK.finditer(PAGE):
        if block["file"]:
            target = project / block["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block["body"], "utf-8")
            continue
        for command, expected in commands(block["body"]):
            ran.append(command)
            if command == INSTALL:
                install(project, site)
                continue
            printed = run(command, project, site)
            assert shows(expected, printed), f"{command}\n\n" + "\n".join(printed)
    assert ran[0] == INSTALL
    assert ran[1:3] == ["hegui rules list", "hegui rules test ACM001"]
    assert len([command for command in ran if command.startswith("hegui check ")]) == 2


@pytest.mark.parametrize(
    "tool", [["format", "--check"], ["check", "--ignore", "INP001,ARG001"]], ids=["format", "lint"]
)
def test_the_code_of_the_page_has_the_style_of_the_repository(tmp_path: Path, tool: list[str]):
    root = Path(__file__).parents[2]
    files = [(block["file"], block["body"]) for block in BLOCK.finditer(PAGE) if block["language"] == "python"]
    for name, body in files:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(body, "utf-8")
    ruff = [
        str(Path(sys.executable).parent / "ruff"),
        *tool,
        "--no-cache",
        "--config",
        str(root / "pyproject.toml"),
        ".",
    ]
    done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        (["a", "b"], ["a", "b  "], True),
        (["a", "..."], ["a", "x", "y"], True),
        (["a", "...", "b"], ["a", "b"], True),
        (["a", "...", "b"], ["a", "x"], False),
        (["a"], ["a", "b"], False),
        (["a", "b"], ["a"], False),
        ([], ["a"], False),
    ],
)
def test_only_what_is_left_out_may_differ(expected: list[str], printed: list[str], same: bool):
    assert shows(expected, printed) is same
