"""How names, times and durations are written for people, on one line and without control characters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

MOST_NAMES = 5  # that one line tells
MOST_SUFFIXES = 12  # that one line tells


def shown_name(path: Path) -> str:
    """A file's name for one line: control characters and undecodable bytes are escaped, so no name garbles a terminal."""
    return shown_text(path.name)


def shown_path(path: Path) -> str:
    """The whole path, escaped like `shown_name`."""
    return shown_text(str(path))


def shown_text(text: str) -> str:
    """Any text on one line, in Unicode, without control characters."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def passed_text(files: Mapping[str, int], others: Mapping[str, int]) -> str:
    """``neither pictures nor films: 7 .txt, 2 without extension; links to folders: 1``; nothing of nothing."""
    most = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} {shown_text(suffix) or 'without extension'}" for suffix, count in most[:MOST_SUFFIXES]]
    if more := sum(count for _, count in most[MOST_SUFFIXES:]):
        told.append(f"{more:,} more of {len(most) - MOST_SUFFIXES} other extensions")
    parts = [f"neither pictures nor films: {', '.join(told)}"] if told else []
    parts += [f"{what}: {count:,}" for what, count in sorted(others.items())]
    return "; ".join(parts)


def names_text(paths: Sequence[Path]) -> str:
    """``a.jpg, b.jpg and 3 more``."""
    more = len(paths) - MOST_NAMES
    return ", ".join(map(shown_name, paths[:MOST_NAMES])) + (f" and {more:,} more" if more > 0 else "")


def orphans_text(orphaned: Sequence[Path]) -> str:
    """``2 outputs without a source, which is gone (nothing is removed): a.jpg, b.jpg``."""
    what = "1 output" if len(orphaned) == 1 else f"{len(orphaned):,} outputs"
    return f"{what} without a source, which is gone (nothing is removed): {names_text(orphaned)}"


def left_lines(sidecars_left: Mapping[str, int]) -> list[str]:
    """``2 sidecars not copied: another file has its name already``, a line for each reason."""
    return [
        f"{count:,} sidecar{'s' if count > 1 else ''} not copied: {why}" for why, count in sorted(sidecars_left.items())
    ]


def position_text(seconds: Fraction) -> str:
    """``00:12:40``."""
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration_text(seconds: float) -> str:
    """``0.4 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
