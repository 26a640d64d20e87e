"""What the numbers of a weights file's config may be: a file that says more is damaged, or meant to do harm.

A temperature of 0 divides by nothing, a gain of 1e308 is infinite with the first colour, and a million channels take all
memory before any tensor is looked at.
"""

from __future__ import annotations

from typing import Any

MOST_CHANNELS = 1024  # of any layer here
_OF_DECODING = {
    "temperature": (0.05, 10.0),
    "chroma_gain": (0.0, 10.0),
    "picture_gain": (0.0, 4.0),
    "refine": (0.0, 100.0),
}


def check_decoding(config: Any) -> None:
    """How the distribution becomes a colour. Raises ValueError, and TypeError for what is no number."""
    for name, (low, high) in _OF_DECODING.items():
        check_range(name, getattr(config, name), low, high)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError for what lies outside or is not a number at all, TypeError for another type."""
    if isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, and cannot be but from {low} to {high}")
