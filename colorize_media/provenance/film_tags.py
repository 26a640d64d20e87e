"""What a film's tags say of its making, in any container that has tags: a comment for people, and fields for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE
from colorize_media.provenance.record import Record

RECORD_TAG = "COLORIZE_MEDIA"  # the whole record, as JSON
_FIELDS = frozenset({"DIGITAL_SOURCE_TYPE", "AI_SYSTEM_USED", "AI_SYSTEM_VERSION_USED", RECORD_TAG})


def told_tags(tags: Mapping[str, str], record: Record, *, has_xmp: bool) -> dict[str, str]:
    """A film's tags with what ``record`` says: a comment that is there stays, the sentence follows it.

    ``has_xmp``: the file gets an XMP packet, which says the rest. Fields of an earlier colouring give way.
    """
    told = {name: value for name, value in tags.items() if name.upper() not in _FIELDS}
    name = next((name for name in told if name.lower() == "comment"), "comment")
    before = told.get(name, "").rstrip()
    told[name] = f"{before}\n{record.sentence}" if before else record.sentence
    if not has_xmp:
        told["DIGITAL_SOURCE_TYPE"] = DIGITAL_SOURCE_TYPE
        told["AI_SYSTEM_USED"] = record.system
        told["AI_SYSTEM_VERSION_USED"] = record.system_version
        told[RECORD_TAG] = json.dumps(record.as_json(), sort_keys=True)
    return told
