"""Tags of files and streams: which go into the new file, and which of them it did not keep."""

from __future__ import annotations

# Tags that describe the old file or its encoding and would be untrue of the new one. Compared in lower case.
_STALE_TAGS = ("encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "_statistics_")
_CONTAINER_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "vendor_id", "numberofframes"})


def lasting_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those that are as true of the new file."""
    return {
        name: value
        for name, value in tags.items()
        if name.lower() not in _CONTAINER_OWN_TAGS and not name.lower().startswith(_STALE_TAGS)
    }


def lost_tags(owner: str, wanted: dict[str, str], written: dict[str, str]) -> list[str]:
    """Names of what was wanted and is not there, after their ``owner``'s."""
    have = {name.lower() for name in written}
    return [
        f"{owner} {name}".strip()
        for name, value in wanted.items()
        if name.lower() not in have and not _is_nothing(name, value)
    ]


def _is_nothing(name: str, value: str) -> bool:
    """Whether nobody misses the tag: MP4's bookkeeping, and "undetermined", which MOV says by saying nothing."""
    return name == "handler_name" or (name, value) == ("language", "und")
