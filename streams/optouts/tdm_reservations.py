"""The value of `tdm-reservation` in its four carriers. TDM Reservation Protocol (W3C community group report), section 3."""

from __future__ import annotations

_SAID = {"1": "deny", "0": "allow"}


def reservation(value: object) -> str:
    """Return what a reservation says of text and data mining: 1 is a no, 0 a yes, anything else nothing.

    A policy beside the 1 offers a licence on conditions: without one it stays a no.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        return "unknown"
    return _SAID.get(str(value).strip(), "unknown")
