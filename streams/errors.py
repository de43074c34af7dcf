"""The errors of this package.

HeguiError
├── SettingsError        a setting or the policy is wrong, or the broker refuses a setting: one sentence, exit code 2
├── TopicError           a topic is missing or has another partition count than the state needs: exit code 2
├── StateVersionError    the table was written by a newer version: exit code 75, and again until that version runs
├── OptOutError          a statement about training cannot be taken: told and counted, the import goes on
└── DecodeError          a record cannot be decoded: dead letter, the stream goes on
"""

from __future__ import annotations


class HeguiError(Exception):
    """Base of all errors of hegui; its text is one sentence for an operator."""


class SettingsError(HeguiError):
    """A setting, or the policy, is wrong. Names key, value and remedy."""


class TopicError(HeguiError):
    """A topic does not fit: missing, or with a partition count that would break keyed state."""


class StateVersionError(HeguiError):
    """The state agents' table holds what a newer version wrote; this one must not change it."""


class OptOutError(HeguiError):
    """A statement about training cannot be taken. `reason` is a key of `streams.optouts.remarks.REASONS`; the subject is never named."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DecodeError(HeguiError):
    """A record cannot be decoded.

    `reason` is one of a finite set (a metric label); `detail` names the place, never the value.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
