"""docs/formats.md names every field of everything that is written for programs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from colorize_media import events
from colorize_media.archive.inspection import Inspection
from colorize_media.archive.manifest import Entry, SidecarEntry
from colorize_media.provenance.record import Record

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    return next(part for part in PAGE.split("\n## ") if part.startswith(title))


def _names(text: str) -> set[str]:
    return set(re.findall(r"`([a-z_0-9]+)`", text))


def _fields(kind: type) -> set[str]:
    return {item.name for item in dataclasses.fields(kind) if item.metadata.get("json", True)}


@pytest.mark.parametrize(
    ("title", "kind"),
    [("The record", Record), ("The manifest", Entry), ("The manifest", SidecarEntry), ("`inspect --json`", Inspection)],
)
def test_each_table_has_a_row_for_every_field(title: str, kind: type) -> None:
    rows = set(re.findall(r"^\| `([a-z_0-9]+)` \|", _section(title), re.MULTILINE))
    assert _fields(kind) - rows == set()


@pytest.mark.parametrize("kind", [*get_args(events.Event), events.Sidecar])
def test_each_event_names_every_field(kind: type) -> None:
    name = "in `sidecars`" if kind is events.Sidecar else f"`{kind.__name__.lower()}`"
    (row,) = (line for line in _section("Events").splitlines() if line.startswith(f"| {name} |"))
    told = _names(row)
    assert _fields(kind) - told == set()
