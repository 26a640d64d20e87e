"""What is mutated: a small file of every format that the tests can make, and of the shared media those that are small.

Each is made when it is first asked for; all take some seconds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.made import films, pictures, tiffs
from tests.made.photos import exif_with, grey_picture
from tests.made.profiles import grey_profile

SHARED = Path(__file__).resolve().parents[3] / "shared" / "media"
MOST_SHARED = 70_000  # bytes of a shared file: larger ones have larger pictures
SIDE = 64  # HEIC and AVIF want sides of whole blocks
FRAMES = 6

_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Camera 1.0" xmp:Rating="4"/>'
    b"</rdf:RDF></x:xmpmeta>"
)
_SUBTITLES = b"1\n00:00:00,000 --> 00:00:01,000\nhello\n"
_WORLD = b"0.5\n0.0\n0.0\n-0.5\n100.0\n200.0\n"
_TAKEOUT = b'{"title": "photo.jpg", "photoTakenTime": {"timestamp": "1620000000"}, "geoData": {"latitude": 1.0}}'

SIDECARS = {
    ".xmp": _XMP,
    ".jpg.xmp": _XMP,
    ".jpg.json": _TAKEOUT,
    ".srt": _SUBTITLES,
    ".jgw": _WORLD,
    ".AAE": b"<plist/>",
}
"""What may lie beside ``photo.jpg``, by what follows ``photo``."""


def names() -> list[str]:
    """Of all seeds, sorted; the extension is that of the format."""
    return sorted({*PICTURES, *FILMS, *_shared()})


@cache
def seed(name: str) -> bytes:
    """A seed's bytes."""
    if name in PICTURES:
        return PICTURES[name]()
    if name in FILMS:
        with tempfile.TemporaryDirectory() as folder:
            return films.make_video(
                Path(folder) / name, **{"frames": FRAMES, "size": (SIDE, 48), **FILMS[name]}
            ).read_bytes()
    return _shared()[name].read_bytes()


@cache
def _shared() -> dict[str, Path]:
    """Real files by a name that tells them from those made here; none where they are absent."""
    found = [path for path in SHARED.rglob("*") if path.is_file() and path.stat().st_size <= MOST_SHARED]
    kept = [path for path in found if path.suffix not in (".md", ".json", ".AAE", ".nfo", ".srt", ".tfw", ".xmp")]
    return {"shared-" + "-".join(path.relative_to(SHARED).parts): path for path in kept}


def _pillow(kind: str, picture: Any = None, **options: Any) -> Callable[[], bytes]:
    return lambda: pictures.pillow(kind, grey_picture(48, SIDE) if picture is None else picture(), **options)


def _tiff(bits: int, channels: int = 1, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        plane = grey_picture(48, SIDE, 16).astype(np.uint16) >> (16 - bits)
        return tiffs.written_tiff(np.repeat(plane[..., None], channels, axis=2), bits, **options)

    return make


def _rgb() -> Image.Image:
    return Image.fromarray(grey_picture(48, SIDE)).convert("RGB")


def _with_everything() -> bytes:
    """A JPEG with EXIF, XMP, a profile and a comment."""
    return pictures.pillow(
        "JPEG", _rgb(), exif=exif_with(6), xmp=_XMP, comment=b"a street", icc_profile=grey_profile(b"curv" + bytes(8))
    )


def _png(depth: int, color_type: int, *extra: tuple[bytes, bytes]) -> Callable[[], bytes]:
    def make() -> bytes:
        top = (1 << depth) - 1
        plane = (grey_picture(48, SIDE, 16).astype(np.int64) * top // 65535).astype(np.uint16)
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color_type]
        return pictures.png(np.repeat(plane[..., None], channels, axis=2), depth, color_type, *extra)

    return make


def _grey16() -> np.ndarray[Any, Any]:
    return grey_picture(48, SIDE, 16)


_PALETTE = (b"PLTE", bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
_EXIF = exif_with(3).tobytes()

PICTURES: dict[str, Callable[[], bytes]] = {
    "grey.jpg": _pillow("JPEG"),
    "everything.jpg": _with_everything,
    "progressive.jpg": _pillow("JPEG", _rgb, progressive=True),
    "cmyk.jpg": _pillow("JPEG", lambda: _rgb().convert("CMYK")),
    "several.mpo": _pillow("MPO", _rgb, save_all=True, append_images=[Image.new("RGB", (SIDE, 48), "grey")]),
    "grey.png": _pillow("PNG"),
    "interlaced.png": _png(8, 0, (b"gAMA", b"\0\0\xb1\x8f"), (b"tEXt", b"Comment\0a street"), (b"eXIf", _EXIF[6:])),
    "one.png": _png(1, 0),
    "four.png": _png(4, 0),
    "sixteen.png": _png(16, 2),
    "alpha.png": _png(8, 6),
    "grey-alpha.png": _png(16, 4),
    "palette.png": _png(8, 3, _PALETTE, (b"tRNS", bytes([128] * 256))),
    "rich.png": _pillow("PNG", _rgb, exif=exif_with(8)),
    "grey.tif": _tiff(8),
    "lzw.tif": _tiff(8, 3, packing="lzw", predicted=True),
    "twelve.tif": _tiff(12, packing="deflate"),
    "planes.tif": _tiff(16, 3, packing="lzw", planar=True),
    "tiles.tif": _tiff(16, packing="zstd", tile=16, order=">"),
    "two.tif": _tiff(2, packing="packbits", fill_order=2),
    "extra.tif": _tiff(16, 4, extra=(0,)),
    "lzma.tif": _tiff(8, packing="lzma"),
    "pages.tif": pictures.several_pages,
    "big.tif": partial(pictures.several_pages, ">", big=True),
    "fax.tif": _pillow("TIFF", lambda: Image.fromarray(grey_picture(48, SIDE) > 90), compression="group4"),
    "jpeg.tif": _pillow("TIFF", _rgb, compression="jpeg"),
    "rich.tif": _pillow("TIFF", _rgb, exif=exif_with(5), compression="tiff_deflate"),
    "lossy.webp": _pillow("WEBP", _rgb, exif=exif_with(7), xmp=_XMP),
    "lossless.webp": _pillow("WEBP", _rgb, lossless=True),
    "grey.avif": _pillow("AVIF", _rgb, speed=10, exif=exif_with(2)),
    "ten.avif": lambda: pictures.avif(grey_picture(SIDE, SIDE, 16) >> 6),
    "grey.bmp": _pillow("BMP"),
    "grey.gif": _pillow("GIF"),
    "grey.jp2": _pillow("JPEG2000"),
    "sixteen.j2k": _pillow("JPEG2000", _grey16, no_jp2=True),
    "grey.pgm": _pillow("PPM"),
    "sixteen.pgm": lambda: b"P5\n64 48\n65535\n" + _grey16().astype(">u2").tobytes(),
    "plain.ppm": lambda: b"P3\n64 48\n255\n" + b" ".join(b"%d" % code for code in np.repeat(grey_picture(48, SIDE), 3)),
    "bits.pbm": _pillow("PPM", lambda: Image.fromarray(grey_picture(48, SIDE) > 90)),
    "grey.heic": lambda: pictures.heic(grey_picture(SIDE, SIDE), tile=32, exif=_EXIF[6:], xmp=_XMP),
    "ten.heic": lambda: pictures.heic(grey_picture(SIDE, SIDE, 16) >> 6, bits=10, turns=1),
    "grey.tga": _pillow("TGA", compression="tga_rle"),
    "grey.pcx": _pillow("PCX"),
    "grey.sgi": _pillow("SGI"),
    "grey.psd": lambda: pictures.psd(grey_picture(48, SIDE)[..., None]),
    "sixteen.psd": lambda: pictures.psd(np.repeat(_grey16()[..., None], 3, axis=2)),
    "grey.ico": _pillow("ICO", sizes=[(32, 32), (48, 48)]),
    "grey.dpx": lambda: pictures.ffmpeg_still("dpx", "gbrp10be", grey_picture(48, SIDE, 16) >> 6),
    "grey.ras": lambda: pictures.ffmpeg_still("sunrast", "gray", grey_picture(48, SIDE)),
    "camera.dng": lambda: pictures.dng(_grey16()),
}

_DV: dict[str, Any] = {"codec": "dvvideo", "size": (720, 576), "frames": 2, "interlaced": True}
FILMS: dict[str, dict[str, Any]] = {
    "full.mkv": {
        "audio": 2, "subtitle": "subrip", "attachment": b"letters", "tags": {"title": "A street", "comment": "1921"},
        "languages": ("", "nor", "eng"), "chapters": [(0, 100, "morning"), (100, 200, "evening")],
    },
    "turned.mp4": {"audio": 1, "subtitle": "mov_text", "rotation": 90, "tags": {"title": "A street"}},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "audio": 1},
    "variable.mov": {"pts": (0, 1, 5, 6, 20, 21), "time_base": Fraction(1, 600)},
    "ten.mov": {"codec": "prores_ks", "pix_fmt": "yuv422p10le"},
    "ten.mkv": {"codec": "libx265", "pix_fmt": "yuv420p10le", "options": {"x265-params": "log-level=none"}},
    "fields.mkv": {"codec": "mpeg2video", "interlaced": True, "sar": Fraction(16, 11)},
    "vp8.webm": {"codec": "libvpx", "audio": 1, "audio_codec": "libopus"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8"}},
    "av1.webm": {"codec": "libsvtav1", "options": {"preset": "12"}},
    "plain.avi": {"codec": "mpeg4", "audio": 1, "audio_codec": "mp3"},
    "ms.avi": {"codec": "msmpeg4", "audio": 1, "audio_codec": "adpcm_ms"},
    "raw.avi": {"codec": "rawvideo", "audio": 1, "audio_codec": "pcm_s16le", "frames": 2},
    "lossless.avi": {"codec": "huffyuv", "pix_fmt": "yuv422p", "frames": 3},
    "motion.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "disc.vob": {"codec": "mpeg2video", "audio": 1, "audio_codec": "ac3", "format": "vob"},
    "old.mpg": {"codec": "mpeg1video", "audio": 1, "audio_codec": "mp2"},
    "bare.m2v": {"codec": "mpeg2video", "format": "mpeg2video"},
    "television.ts": {"codec": "mpeg2video", "audio": 1, "audio_codec": "mp2"},
    "camera.m2ts": {"audio": 1, "audio_codec": "ac3", "format": "mpegts", "container_options": {"mpegts_m2ts_mode": "1"}},
    "stream.flv": {"codec": "flv1", "audio": 1, "audio_codec": "mp3"},
    "window.wmv": {"codec": "wmv2", "audio": 1, "audio_codec": "mp3", "format": "asf"},
    "phone.3gp": {"codec": "h263", "size": (128, 96)},
    "tape.dv": {**_DV, "frames": 1},
    "tape.mov": {**_DV, "frames": 1},
    "broadcast.mxf": {"codec": "mpeg2video"},
    "moving.gif": {"codec": "gif", "pix_fmt": "gray", "frames": 3},
    "plain.y4m": {"codec": "wrapped_avframe", "frames": 3},
    "bare.ivf": {"codec": "libvpx"},
    "plain.nut": {"codec": "ffv1", "audio": 1, "audio_codec": "flac"},
    "bare.h264": {"format": "h264"},
    "bare.hevc": {"codec": "libx265", "format": "hevc", "options": {"x265-params": "log-level=none"}},
    "grey.mkv": {"codec": "ffv1", "pix_fmt": "gray"},
    "animation.mov": {"codec": "qtrle", "pix_fmt": "rgb24"},
    "motion.mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "format": "mjpeg"},
}  # fmt: skip
