"""Whether there is room for a film: the finished parts and the file that they are joined to are there at the same time."""

from __future__ import annotations

import shutil
from pathlib import Path

from colorize_media.errors import OutputUnwritable
from colorize_media.video.encoder import DEFAULT_CRF, Encoding
from colorize_media.video.reader import Reader

# Bytes a pixel, low estimates: a film is refused only where it would hardly fit. ProRes 422 HQ is specified with 0.44.
_KEPT, _SHOWN = 0.3, 0.03
_KEEPING = frozenset(
    {"ffv1", "prores_ks", "prores", "dnxhd", "cfhd", "huffyuv", "ffvhuff", "utvideo", "magicyuv", "rawvideo", "v210"}
)
_STEPS_TO_HALF = 6  # of constant quality: so many halve a film
_OLD_CODECS = frozenset(
    {"mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "dvvideo", "h263", "wmv1", "wmv2", "wmv3", "svq3"}
)


def check_room(reader: Reader, encoding: Encoding, target: Path, finished: int = 0) -> None:
    """Raises OutputUnwritable where the disk of ``target`` has clearly no room; ``finished`` bytes of the film are there.

    What is not known (a film without a duration, a disk that does not say) is not refused.
    """
    size = bytes_at_least(reader, encoding)
    needed = max(0, 2 * size - finished)
    free = _free(target)
    if free is not None and free < needed:
        raise OutputUnwritable(
            "there is no room for the film",
            path=target,
            why=f"it needs about {_told(needed)}, as its parts are joined to a whole at the end; {_told(free)} are free",
            hint="free some room, or name a file on another disk with -o",
        )


def bytes_at_least(reader: Reader, encoding: Encoding) -> int:
    """About the least that the film will have; 0 where its length is unknown."""
    frames = reader.frames_estimate or (int(reader.duration * encoding.rate) if reader.duration else 0)
    pixels = frames * reader.geometry.width * reader.geometry.height
    default = DEFAULT_CRF.get(encoding.encoder)
    if encoding.encoder in _KEEPING:
        return int(pixels * _KEPT)
    size = pixels * _SHOWN
    if reader.clip.whole:
        source = reader.path.stat().st_size
        size = min(size, source / 2 if reader.codec in _OLD_CODECS else source)
    worse = 0 if default is None or encoding.settings.crf is None else encoding.settings.crf - default
    return int(size * 0.5 ** (max(0, worse) / _STEPS_TO_HALF))


def _free(target: Path) -> int | None:
    """Bytes that the user can write where the file is to be; None where the system does not say."""
    for folder in target.absolute().parents:
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def _told(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 100_000_000 else f"{size / 1e6:.1f} MB"
