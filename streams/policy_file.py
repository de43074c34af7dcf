"""Loads the deployer's policy from YAML and watches it: validate, then swap; a bad one leaves the old in force.

The policy is one file, or a folder with one file for each version: events are judged by the version of their own time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hegui.rules.catalog import choose, find_rules
from hegui.rules.core import Rule, RuleError
from hegui.rules.policy import Policy
from hegui.streams.errors import SettingsError
from hegui.streams.policy_mistakes import read_policy

EMPTY = Policy(version="none")

Version = tuple[Policy, tuple[Rule, ...]]
"""A version of the policy and the rules it selects."""


def load_policy(path: Path | None) -> Version:
    """Return the version of the policy that is in force now.

    Raises:
        SettingsError: see `load_policies`.
    """
    return in_force(load_policies(path))


def in_force(versions: Sequence[Version], now_seconds: float | None = None) -> Version:
    """Return the latest version whose effective time has come; the first one when none has."""
    now = time.time() if now_seconds is None else now_seconds
    begun = [v for v in versions if v[0].effective_from is None or v[0].effective_from.timestamp() <= now]
    return begun[-1] if begun else versions[0]


def load_policies(path: Path | None) -> tuple[Version, ...]:
    """Return all versions of the policy, by effective time.

    Args:
        path: a YAML file, or a folder of `.yaml` and `.yml` files with one version each; None: no policy.

    Raises:
        SettingsError: a file cannot be read, does not fit the schema or contradicts itself, or two versions have one name
            or one effective time; one sentence.
    """
    try:
        rules = find_rules()
    except RuleError as error:  # a rule pack: as bad as a bad policy, at start and on reload
        raise SettingsError(str(error)) from None
    if path is None:
        return ((EMPTY, choose(rules, EMPTY.rules)),)
    policies = [_read(file, rules) for file in _files(path)]
    policies.sort(key=lambda policy: -1.0 if policy.effective_from is None else policy.effective_from.timestamp())
    for before, after in pairwise(policies):
        if before.effective_from == after.effective_from:
            raise SettingsError(
                f"policy: the versions {before.version} and {after.version} (in {', '.join(file.name for file in _files(path))}) "
                "count from the same time; set effective_from of one"
            )
    versions = [policy.version for policy in policies]
    if doubled := next((version for version in versions if versions.count(version) > 1), None):
        raise SettingsError(f"policy: the version {doubled} stands in two files; give each its own")
    return tuple((policy, choose(rules, policy.rules)) for policy in policies)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    # Hidden files too are left out: configuration maps keep their versions in hidden folders.
    found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"} and file.name[0] != ".")
    if not found:
        raise SettingsError(f"policy: the folder {path} holds no .yaml file; correct policy_file in the settings")
    return found


def _read(file: Path, rules: Sequence[Rule]) -> Policy:
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"policy: {file} cannot be read ({error.strerror}); correct policy_file in the settings"
        ) from None
    return read_policy(file.name, body, [(rule.id, rule.waivable) for rule in rules])


class PolicyWatch:
    """Tells when the policy's file or folder changed. Not thread-safe."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Tell whether it changed since the last call."""
        stamp = self._stamp()
        changed, self._seen = stamp != self._seen, stamp
        return changed

    def _stamp(self) -> tuple[tuple[str, int, int, int], ...] | None:
        try:
            files = [] if self.file is None else _files(self.file)
            # The inode too: configuration maps are swapped by renaming a link.
            return tuple((f.name, s.st_mtime_ns, s.st_size, s.st_ino) for f in files for s in (f.stat(),))
        except (OSError, SettingsError):
            return None
