"""Structured logs on standard error; content never reaches them.

An event's name is a constant verb phrase; the rest are keys. There is no line for a passing event. Fields that could hold
content or a person are redacted whatever their value, and texts that are not short codes are cut to their hash.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
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
    """Replace fields that could hold content or a person by their hash, and refuse raw bytes."""
    for name, value in event.items():
        if name in REDACTED_KEYS or isinstance(value, bytes):
            event[name] = reference(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
        elif isinstance(value, str) and name not in {"event", "exception"} and len(value) > MAX_TEXT:
            event[name] = reference(value)
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
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # The libraries narrate at INFO; what they warn of is ours to see.
    root.setLevel(max(level, logging.WARNING))
