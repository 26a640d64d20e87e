"""What is wrong with a film, in plain words: the errors that its reading ends with."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av

from colorize_media.color.planes import has_alpha, plane_rows
from colorize_media.errors import (
    DamagedMedia,
    Encrypted,
    FileProblem,
    InputUnreadable,
    NoPicture,
    StreamNotKept,
    UnsupportedMedia,
)
from colorize_media.files.first_bytes import PHOTO_FORMATS, begins_like


def refuse_transparency(frame: av.VideoFrame, path: Path) -> None:
    """Transparent pixels would be lost; a wholly opaque alpha channel, as GIF and screen grabs have, is nothing."""
    if not has_alpha(frame.format.name):
        return
    alpha = plane_rows(frame.reformat(format="yuva444p").planes[3], "u1")[:, : frame.width]
    if alpha.min() < 255:
        raise transparent(path)


def not_opened(path: Path, error: Exception) -> FileProblem:
    """What it means that FFmpeg could not open a file which is there, readable and not empty."""
    why = str(getattr(error, "strerror", "") or error)
    if getattr(error, "errno", None) in (errno.EACCES, errno.EIO, errno.EPERM):
        return InputUnreadable("cannot read the file", path=path, why=why, hint="check its permissions and the disk")
    with path.open("rb") as file:
        known = begins_like(file.read(512))
    if known is not None and (
        known.format not in PHOTO_FORMATS or known.format == "GIF"
    ):  # not a file that never was a film
        return damaged(path, f"its beginning is that of a film, but the rest does not fit: {why}")
    return NoPicture(
        "not a picture or film",
        path=path,
        why=f"FFmpeg does not recognise the content: {why}",
        hint="give a video or picture file",
    )


def no_video(path: Path, container: str, kinds: Iterable[str], *, cover: bool) -> NoPicture:
    """``kinds`` of streams that are there instead; ``cover``: one of them is a still picture."""
    there = ", ".join(sorted(set(kinds))) or "nothing"
    return NoPicture(
        "no film in the file",
        path=path,
        why=f"it is {container} with {there}{' (a cover picture only)' if cover else ''}",
        hint="give a file with a video stream",
    )


def no_decoder(path: Path) -> UnsupportedMedia:
    """FFmpeg knows that it is a film, and no more."""
    return UnsupportedMedia(
        "no decoder for the picture",
        path=path,
        why=f"the FFmpeg inside PyAV {av.__version__} does not know its codec",
        hint="convert the film to H.264 first",
    )


def unknown_format(path: Path, pixel_format: str, error: ValueError) -> UnsupportedMedia:
    """A pixel format whose planes are not handled."""
    return UnsupportedMedia(
        "this pixel format is not handled",
        path=path,
        why=f"{pixel_format}: {error}",
        hint="convert the film to 10-bit or 12-bit video first",
    )


def damaged(path: Path, why: str) -> DamagedMedia:
    """Nothing of the film can be decoded, or nothing more."""
    return DamagedMedia(
        "the film is damaged", path=path, why=why, hint="get another copy, or repair it with a remuxing tool"
    )


def given_up(path: Path, packets: int, at: Fraction, error: Exception) -> DamagedMedia:
    """So many ``packets`` in a row could not be decoded, from ``at`` seconds on."""
    before = f"{float(at):.1f}"
    return DamagedMedia(
        "the film is damaged",
        path=path,
        why=f"{packets} packets in a row from {before} s on could not be decoded: {error}",
        hint=f"get another copy, or repair it with a remuxing tool; --duration {before} colours what is before"
        if at > 1
        else "get another copy, or repair it with a remuxing tool",
    )


def nothing_from(start: Fraction, path: Path, whole: Fraction | None = None) -> NoPicture:
    """A clip that begins behind the end; ``whole`` is the film's length in seconds, as far as known."""
    return NoPicture(
        "no picture from that start on",
        path=path,
        why=f"the film lasts {float(whole):.1f} s"
        if whole is not None
        else f"no frame is {float(start):.1f} s in or later",
        hint="give an earlier --start",
    )


def encrypted(path: Path) -> Encrypted:
    """DRM."""
    return Encrypted(
        "the picture is encrypted",
        path=path,
        why="its packets are protected and there is no key",
        hint="give a copy without copy protection",
    )


def transparent(path: Path) -> UnsupportedMedia:
    """An alpha channel that shows."""
    return UnsupportedMedia(
        "the film has transparency",
        path=path,
        why="its alpha channel would be lost",
        hint="flatten it onto a background first",
    )


def stream_not_kept(
    path: Path, suffix: str, lost: Sequence[tuple[str, str]], *, sound: bool, elsewhere: bool, opus: bool
) -> StreamNotKept:
    """``lost`` streams, each with FFmpeg's reason, that ``suffix`` cannot hold; ``elsewhere``: .mkv could.

    ``opus``: the sound among them could be kept as Opus.
    """
    named = "; ".join(f"{stream}: {why}" if why else stream for stream, why in lost)
    allow = "--drop-streams goes on without what cannot be kept"
    if opus:
        allow = f"--audio opus encodes the sound as Opus, with a small loss; {allow}"
    return StreamNotKept(
        "the film would lose its sound" if sound else "the film would lose more than its picture",
        path=path,
        why=f"{suffix} cannot hold {named}",
        hint=f"name the output .mkv, which holds all of it; {allow}" if elsewhere else allow,
    )


def begins_too_late(path: Path, streams: Sequence[str]) -> StreamNotKept:
    """``streams`` that FFmpeg gets to know only behind all that it can be made to look through."""
    return StreamNotKept(
        "the film would lose streams that begin late in it",
        path=path,
        why=f"{'; '.join(streams)}: too far into the file, which has no list of its streams",
        hint="write the film as Matroska with FFmpeg first (-probesize 2G -analyzeduration 2G before -i, -map 0 -c copy); "
        "--drop-streams goes on without them",
    )
