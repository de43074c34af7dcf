"""Structured logs on standard error; content never reaches them.

An event's name is a constant verb phrase; the rest are keys. There is no line for a passing event. Fields that could hold
content or a person are redacted whatever their value, and texts that are not short codes are cut to their hash.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from hegui.rules.evidence import reference
from hegui.streams.settings import LogSettings

REDACTED_KEYS = frozenset(
    {
        "prompt",
        "output",
        "text",
        "content",
        "value",
        "data",
        "url",
        "user",
        "user_key",
        "subject",
        "password",
        "key",
        "payload",
        "headers",
    }
)
MAX_TEXT = 300


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace fields that could hold content or a person by their hash, at any depth; raw bytes and long texts too."""
    for name, value in event.items():
        event[name] = value if name in {"event", "exception", "exc_info"} else _redacted(name, value)
    return event


def _redacted(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return reference(value.decode("utf-8", "replace"))
    if name in REDACTED_KEYS:
        return reference(str(value))
    if isinstance(value, Mapping):
        return {key: _redacted(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(name, part) for part in value]
    return reference(value) if isinstance(value, str) and len(value) > MAX_TEXT else value


def traceback_without_message(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace `exc_info` by the traceback and the error's type; its message could quote content."""
    found = event.pop("exc_info", None)
    if found:
        error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
        if error is not None:
            frames = "".join(traceback.format_tb(error.__traceback__))
            event["exception"] = f"Traceback (most recent call last):\n{frames}{type(error).__name__}"
    return event


def configure(settings: LogSettings) -> None:
    """Set up structlog and route the libraries' logs through it. Call once per process."""
    level = getattr(logging, settings.level.upper())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[*shared, traceback_without_message, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # one write a line: roles share a stream
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                traceback_without_message,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # The libraries narrate at INFO; what they warn of is ours to see.
    root.setLevel(max(level, logging.WARNING))
