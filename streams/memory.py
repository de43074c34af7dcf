"""Tells the C library to keep the memory of fetched records instead of giving it back and asking for it again."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h of glibc
_MIB = 1024 * 1024


def keep_memory() -> bool:
    """Let malloc keep up to 128 MiB of free memory; return whether the C library took it.

    A fetch brings up to 1 MiB of each partition, which is copied three times and freed within 0.1 s. glibc unmaps such blocks and trims the heap, and the
    kernel clears every page anew: 0.5 us an event, a twentieth of all. Elsewhere than on glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = ((_MMAP_THRESHOLD, 32 * _MIB), (_TRIM_THRESHOLD, 128 * _MIB), (_TOP_PAD, 16 * _MIB))
    return all([mallopt(name, size) == 1 for name, size in wanted])  # noqa: C419 - none may be left out
