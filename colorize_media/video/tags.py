"""Tags of files and streams: which go into the new file, and which of them it did not keep."""

from __future__ import annotations

from collections.abc import Mapping

# Tags that describe the old file or its encoding and would be untrue of the new one. Compared in lower case.
_STALE_TAGS = ("encoder", "duration", "bps", "number_of_frames", "number_of_bytes", "_statistics_")
# QuickTime numbers languages; FFmpeg's table has one of the codes of each (ISO 639-2 has two for some).
_IN_QUICKTIME = {
    "deu": "ger", "fre": "fra", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi",
    "cze": "ces", "slo": "slk", "rum": "ron", "sqi": "alb", "mkd": "mac",
}  # fmt: skip
_CONTAINER_OWN_TAGS = frozenset({"major_brand", "minor_version", "compatible_brands", "vendor_id", "numberofframes"})


def decoded(text: str) -> str:
    """Text as FFmpeg gives it; what is not UTF-8, and so comes as surrogate escapes, is read as Windows-1252.

    That has a character for nearly every byte, and Latin-1 for the five others, so no byte is lost.
    """
    if text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text):
        return text
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def decoded_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The same of names and values."""
    return {decoded(name): decoded(value) for name, value in tags.items()}


def lasting_tags(tags: dict[str, str]) -> dict[str, str]:
    """Those that are as true of the new file."""
    return {
        name: value
        for name, value in decoded_tags(tags).items()
        if name.lower() not in _CONTAINER_OWN_TAGS and not name.lower().startswith(_STALE_TAGS)
    }


def stream_tags(tags: dict[str, str], container: str) -> dict[str, str]:
    """A stream's lasting tags under the names and codes that a ``container`` (FFmpeg's name) keeps."""
    kept = lasting_tags(tags)
    if (
        "title" not in kept and "name" in kept
    ):  # FFmpeg writes a track's title into MP4 and MOV, and reads it as its name
        kept["title"] = kept.pop("name")
    if container == "mov" and (code := _IN_QUICKTIME.get(kept.get("language", ""))) is not None:
        kept["language"] = code
    return kept


def lost_tags(owner: str, wanted: dict[str, str], written: dict[str, str]) -> list[str]:
    """Names of what was wanted and is not there, after their ``owner``'s."""
    have = {name.lower() for name in written}
    if "name" in have:  # see `stream_tags`
        have.add("title")
    return [
        f"{owner} {name}".strip()
        for name, value in wanted.items()
        if name.lower() not in have and not _is_nothing(name, value)
    ]


def _is_nothing(name: str, value: str) -> bool:
    """Whether nobody misses the tag: MP4's bookkeeping, and "undetermined", which MOV says by saying nothing."""
    return name == "handler_name" or (name, value) == ("language", "und")
