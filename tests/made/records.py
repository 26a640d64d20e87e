"""How a test's output is said to have been made."""

from __future__ import annotations

from typing import Any

from colorize_media.provenance.record import Record

TOOL = "colorize-media 0.test"


def made_record(**other: Any) -> Record:
    """A record in which everything says something; ``other`` than usual by name."""
    usual: dict[str, Any] = {
        "version": "0.test",
        "model": "scenes",
        "weights": "3f2a91c0d5e7" + "0" * 52,
        "engine": "torch",
        "precision": "float32",
        "options": {},
        "date": "2026-05-04T10:00:00Z",
        "source": "in.jpg",
    }
    return Record(**usual | other)


BY = made_record()
