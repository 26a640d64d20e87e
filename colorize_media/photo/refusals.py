"""The ways to refuse a photograph that several decoders share, and the size above which one is refused."""

from __future__ import annotations

from pathlib import Path

from colorize_media.errors import DamagedMedia, UnsupportedMedia


def damaged(path: Path, why: str) -> DamagedMedia:
    """Bytes that no strict decoder reads to the end."""
    return DamagedMedia(
        "the picture is damaged", path=path, why=why, hint="copy it again from its source, or repair it"
    )


def unsupported(path: Path, why: str, hint: str) -> UnsupportedMedia:
    """A whole picture of a kind that would lose something, or that no decoder knows."""
    return UnsupportedMedia("this kind of picture is not supported", path=path, why=why, hint=hint)


def high_dynamic_range(path: Path) -> UnsupportedMedia:
    return unsupported(path, "it is a high dynamic range picture (PQ or HLG)", "export it as a standard picture first")


def out_of_memory(path: Path) -> UnsupportedMedia:
    return unsupported(path, "there is not enough memory for it", "lower --max-pixels, or free memory")


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Refuse by the header's size, before memory is taken. Raises UnsupportedMedia, DamagedMedia."""
    if width * height > max_pixels:
        raise UnsupportedMedia(
            "the picture is too large",
            path=path,
            why=f"{width} × {height} is more than {max_pixels} pixels",
            hint="raise --max-pixels if the machine has the memory",
        )
    if width < 1 or height < 1:
        raise damaged(path, f"its size is {width} × {height}")
