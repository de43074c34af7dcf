"""Loads the deployer's policy from YAML and watches the file: validate, then swap; a bad one leaves the old in force."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from hegui.rules.catalog import choose, find_rules
from hegui.rules.core import Rule
from hegui.rules.policy import Policy, PolicyError, check_policy
from hegui.streams.errors import SettingsError

EMPTY = Policy(version="none")


def load_policy(file: Path | None) -> tuple[Policy, tuple[Rule, ...]]:
    """Return the policy of a YAML file and the rules it selects.

    Raises:
        SettingsError: the file cannot be read, does not fit the schema or contradicts itself; one sentence.
    """
    rules = find_rules()
    if file is None:
        return EMPTY, choose(rules, EMPTY.rules)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"policy: {file} cannot be read ({error.strerror}); correct policy_file in the settings"
        ) from None
    try:
        found = yaml.safe_load(body)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark is not None else "the file"
        raise SettingsError(
            f"policy: {file.name} is not YAML ({place}: {getattr(error, 'problem', 'unreadable')}); correct it"
        ) from None
    try:
        # YAML reads an unquoted time with offset as a naive UTC time or an aware one; the policy wants an offset in any case.
        policy = msgspec.convert(found, Policy)
        check_policy(policy, [(rule.id, rule.waivable) for rule in rules])
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        where = place.rstrip("`").lstrip(".") or "the file"
        raise SettingsError(
            f"policy: {where}: {problem[0].lower() + problem[1:]}; see the commented example policy"
        ) from None
    except PolicyError as error:
        raise SettingsError(f"policy: {error}") from None
    return policy, choose(rules, policy.rules)


class PolicyWatch:
    """Tells when the policy file changed. Not thread-safe."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._seen = self._stamp()

    def changed(self) -> bool:
        """Tell whether the file changed since the last call."""
        stamp = self._stamp()
        changed, self._seen = stamp != self._seen, stamp
        return changed

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self.file.stat() if self.file is not None else None
        except OSError:
            return None
        # The inode too: configuration maps are swapped by renaming a link.
        return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else None
