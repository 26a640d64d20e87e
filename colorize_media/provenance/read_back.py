"""The whole record in a file, read back. What stands there is not trusted: a record is taken only if all of it can be one.

So whatever is shown is short, options are plain values, and a source is a name without a folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from colorize_media.provenance.film_boxes import read_film_xmp
from colorize_media.provenance.film_tags import RECORD_TAG
from colorize_media.provenance.packet import XmpPacket
from colorize_media.provenance.record import PROGRAM, Record

_MOST_TEXT = 1 << 16  # characters of a record
_MOST_VALUES = 100  # options
_MOST_NUMBER = 1 << 63
_FORMS = {
    "program": PROGRAM,
    "version": r"[0-9][0-9A-Za-z.+-]{0,39}",
    "model": r"[^\0-\x1f/]{1,255}",
    "weights": "[0-9a-f]{64}",
    "engine": "[0-9A-Za-z _.-]{1,40}",
    "precision": "[0-9A-Za-z _.-]{1,40}",
    "date": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    "source": r"[^\0/]{0,255}",
    "source_sha256": "([0-9a-f]{64})?",
    "made_under": "([0-9a-f]{16})?",
    "decided_under": "([0-9a-f]{16})?",
}


def record_in_packet(packet: bytes) -> Record | None:
    """What an XMP packet says; None where it says nothing that can be a record."""
    with contextlib.suppress(ValueError):
        return _record_in_text(XmpPacket(packet).record()) if packet else None
    return None


def was_changed_since(packet: bytes, record: Record) -> bool:
    """Whether another program tells in the packet's history that it wrote the file after ``record`` was."""
    with contextlib.suppress(ValueError):
        history = XmpPacket(packet).history()
        return bool(history) and history[-1][0] != record.tool
    return True


def record_in_tags(tags: Mapping[str, str]) -> Record | None:
    """What a film's tags say, as FFmpeg finds them."""
    said = (value for name, value in tags.items() if name.upper() == RECORD_TAG)
    return next((record for text in said if (record := _record_in_text(text)) is not None), None)


def record_of_film(path: Path, tags: Mapping[str, str]) -> Record | None:
    """What a film's file says, in its XMP packet or its tags."""
    with contextlib.suppress(OSError, ValueError):
        if (record := record_in_packet(read_film_xmp(path))) is not None:
            return record
    return record_in_tags(tags)


def _record_in_text(text: str) -> Record | None:
    if not 0 < len(text) <= _MOST_TEXT:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        return record_of_json(json.loads(text))
    return None


def record_of_json(said: Any) -> Record | None:
    """Of `Record.as_json`, also an earlier version's; None for what no run has written."""
    if not isinstance(said, dict):
        return None
    known = {item.name for item in dataclasses.fields(Record)}
    values = {name: value for name, value in said.items() if name in known}
    for name, form in _FORMS.items():
        value = values.get(name, "")
        if not isinstance(value, str) or (name in values and not re.fullmatch(form, value, re.DOTALL)):
            return None
    if not all(_are_options(values.get(name, {})) for name in ("options", "settings")):
        return None
    if (stamp := values.get("source_stamp")) is not None:
        if not isinstance(stamp, list) or len(stamp) != 2 or not all(_is_number(part) for part in stamp):
            return None
        values["source_stamp"] = (stamp[0], stamp[1])
    try:
        return Record(**values)
    except TypeError:  # something is missing
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_NUMBER


def _are_options(values: object) -> bool:
    return (
        isinstance(values, dict)
        and len(values) <= _MOST_VALUES
        and all(re.fullmatch("[a-z_]{1,40}", name) for name in values)
        and all(_is_value(one) for value in values.values() for one in (value if _is_list(value) else (value,)))
    )


def _is_list(value: object) -> bool:
    """Of an option that was given several times."""
    return isinstance(value, list) and len(value) <= _MOST_VALUES


def _is_value(value: object) -> bool:
    return isinstance(value, (str, int, float, bool))
