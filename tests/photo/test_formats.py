"""Every picture format, bit depth and layout: what is read is what was drawn, and what is damaged is refused, never half."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.data import coffee

from colorize_media.archive.budget import BYTES_PER_DEEP_PIXEL, BYTES_PER_PIXEL, memory_needed
from colorize_media.archive.discovery import Selection
from colorize_media.archive.inspection import inspect
from colorize_media.archive.memory import Memory
from colorize_media.archive.naming import with_writable_suffix
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.errors import DamagedMedia, FileProblem, LibraryMissing, UnsupportedMedia
from colorize_media.events import Done, Event, Failed, Skipped
from colorize_media.files.first_look import kind_of
from colorize_media.files.formats import FORMAT_SUFFIXES, RAW_SUFFIXES
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_pages, read_photo
from colorize_media.photo.picture import Photo
from colorize_media.photo.write import write_photo
from tests.made.photos import neutral
from tests.made.pictures import (
    avif,
    dng,
    ffmpeg_still,
    grey,
    heic,
    pillow,
    png,
    psd,
    several_pages,
    tiff,
    with_channels,
)
from tests.made.records import BY
from tests.made.tiffs import written_tiff

LIMIT = 10_000_000  # pixels
G8, G16 = grey(), grey(16)
RGB8, RGB16 = with_channels(G8, 3), with_channels(G16, 3)
COLOR = np.asarray(Image.fromarray(coffee()).resize((64, 48)))
RGBA8, RGBA16 = with_channels(G8, 4), with_channels(G16, 4)


def _read(folder: Path, data: bytes, name: str = "a.bin") -> Photo:
    path = folder / name
    path.write_bytes(data)
    return read_photo(path, max_pixels=LIMIT)


def _opencv(suffix: str, samples: NDArray[Any]) -> bytes:
    done, encoded = cv2.imencode(suffix, samples)
    assert done
    return encoded.tobytes()


def _palette(depth: int) -> tuple[bytes, bytes]:
    steps = np.arange(1 << depth) * 255 // ((1 << depth) - 1)
    return b"PLTE", np.repeat(steps.astype(np.uint8), 3).tobytes()


def _shallow(depth: int) -> NDArray[Any]:
    """What a picture of this depth shows in codes of 255."""
    return grey(depth).astype(int) * 255 // ((1 << depth) - 1)


# What is made, what is expected in the luma's own codes (None: the plain ramp), with alpha or not, and the tolerance.
Case = tuple[Callable[[], bytes], int, bool, Any, float]
CASES: dict[str, Case] = {
    "jpeg grey": (lambda: pillow("JPEG", G8, quality=100), 8, False, None, 1),
    "jpeg progressive": (lambda: pillow("JPEG", RGB8, quality=100, progressive=True), 8, False, None, 2),
    "jpeg cmyk": (lambda: pillow("JPEG", Image.fromarray(RGB8).convert("CMYK"), quality=100), 8, False, None, 3),
    **{f"png grey {d}": (lambda d=d: png(grey(d), d, 0), 8, False, _shallow(d), 1) for d in (1, 2, 4, 8)},
    **{f"png palette {d}": (lambda d=d: png(grey(d), d, 3, _palette(d)), 8, False, _shallow(d), 1) for d in (1, 2, 4, 8)},
    "png grey 16": (lambda: png(G16, 16, 0), 16, False, None, 0),
    "png rgb 16": (lambda: png(RGB16, 16, 2), 16, False, None, 0),
    "png grey alpha 8": (lambda: png(with_channels(G8, 2), 8, 4), 8, True, None, 0),
    "png grey alpha 16": (lambda: png(with_channels(G16, 2), 16, 4), 16, True, None, 0),
    "png rgba 16": (lambda: png(RGBA16, 16, 6), 16, True, None, 0),
    "png one transparent grey": (lambda: png(G8, 8, 0, (b"tRNS", b"\0\x50")), 8, True, None, 0),
    "png one transparent deep grey": (lambda: png(G16, 16, 0, (b"tRNS", b"\x50\x50")), 16, True, None, 0),
    "tiff bilevel": (lambda: tiff(G8 > 90, photometric="minisblack"), 8, False, (G8 > 90) * 255, 0),
    "tiff fax": (lambda: pillow("TIFF", Image.fromarray(G8 > 90), compression="group4"), 8, False, (G8 > 90) * 255, 0),
    "tiff white is zero": (lambda: tiff(255 - G8, photometric="miniswhite"), 8, False, None, 0),
    "tiff deep white is zero": (lambda: tiff(65535 - G16, photometric="miniswhite"), 16, False, None, 0),
    **{
        f"tiff {kind}": (lambda kind=kind: pillow("TIFF", RGB8, compression=kind), 8, False, None, 2 * (kind == "jpeg"))
        for kind in ("tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg")
    },
    **{
        f"tiff {bits} {name}": (lambda s=s, o=o: tiff(s, photometric="rgb", **o), bits, False, None, 0)
        for bits, s in ((8, RGB8), (16, RGB16))
        for name, o in {
            "tiles": {"tile": (32, 32)},
            "deflated tiles": {"tile": (16, 32), "compression": "zlib"},
            "strips": {"rowsperstrip": 7},
            "big-endian": {"byteorder": ">"},
            "predicted": {"compression": "zlib", "predictor": 2},
            "big": {"bigtiff": True},
        }.items()
    },
    **{
        f"tiff {bits} planar": (
            lambda s=s: tiff(np.moveaxis(s, 2, 0).copy(), photometric="rgb", planarconfig="separate"), bits, False, None, 0
        )
        for bits, s in ((8, RGB8), (16, RGB16))
    },
    "tiff deep grey tiles": (lambda: tiff(G16, tile=(32, 32)), 16, False, None, 0),
    "tiff deep alpha": (lambda: tiff(RGBA16, photometric="rgb", extrasamples=["unassalpha"]), 16, True, None, 0),
    "tiff deep alpha multiplied": (
        lambda: tiff(
            np.concatenate([(RGB16 // 2), RGBA16[..., 3:]], axis=2), photometric="rgb", extrasamples=["assocalpha"]
        ),
        16, True, None, 3,
    ),
    "tiff palette": (lambda: pillow("TIFF", Image.fromarray(G8).convert("P")), 8, False, None, 0),
    "webp": (lambda: pillow("WEBP", RGB8, quality=100), 8, False, None, 4),
    "webp lossless alpha": (lambda: pillow("WEBP", RGBA8, lossless=True), 8, True, None, 0),
    "avif": (lambda: pillow("AVIF", RGB8, quality=100, subsampling="4:4:4"), 8, False, None, 3),
    "avif 10 bit": (lambda: avif(grey(10)), 16, False, None, 500),
    "heic": (lambda: heic(G8), 8, False, None, 1),
    "heic tiles": (lambda: heic(G8, tile=16), 8, False, None, 1),
    "heic 10 bit": (lambda: heic(grey(10), bits=10), 16, False, None, 100),
    "gif": (lambda: pillow("GIF", G8), 8, False, None, 0),
    "bmp 1": (lambda: pillow("BMP", Image.fromarray(G8 > 90)), 8, False, (G8 > 90) * 255, 0),
    "bmp 8": (lambda: pillow("BMP", G8), 8, False, None, 0),
    "bmp 24": (lambda: pillow("BMP", RGB8), 8, False, None, 0),
    "jpeg 2000": (lambda: pillow("JPEG2000", RGB8), 8, False, None, 0),
    "jpeg 2000 grey 16": (lambda: pillow("JPEG2000", Image.fromarray(G16)), 16, False, None, 0),
    "jpeg 2000 rgb 16": (lambda: _opencv(".jp2", RGB16), 16, False, None, 40),
    "pgm 16": (lambda: _opencv(".pgm", G16), 16, False, None, 0),
    "ppm 8": (lambda: _opencv(".ppm", RGB8), 8, False, None, 0),
    "ppm 16": (lambda: _opencv(".ppm", RGB16), 16, False, None, 0),
    "tga": (lambda: pillow("TGA", RGB8), 8, False, None, 0),
    "tga grey, packed": (lambda: pillow("TGA", G8, compression="tga_rle"), 8, False, None, 0),
    "tga alpha": (lambda: pillow("TGA", RGBA8), 8, True, None, 0),
    "pcx": (lambda: pillow("PCX", RGB8), 8, False, None, 0),
    "pcx grey": (lambda: pillow("PCX", G8), 8, False, None, 0),
    "sgi": (lambda: pillow("SGI", RGB8), 8, False, None, 0),
    "sgi 16": (lambda: ffmpeg_still("sgi", "rgb48be", G16), 16, False, None, 0),
    "sgi grey 16": (lambda: ffmpeg_still("sgi", "gray16be", G16), 16, False, None, 0),
    "ico": (lambda: pillow("ICO", RGB8, sizes=[(64, 48)]), 8, False, None, 0),
    "sun": (lambda: _opencv(".ras", RGB8), 8, False, None, 0),
    "psd": (lambda: psd(RGB8), 8, False, None, 0),
    "psd grey": (lambda: psd(G8[..., None]), 8, False, None, 0),
    "psd 16": (lambda: psd(RGB16), 16, False, None, 0),
    "psd grey 16": (lambda: psd(G16[..., None]), 16, False, None, 0),
    "psd 16 with a mask": (lambda: psd(RGBA16, mode=3), 16, False, None, 0),
    "dpx 8": (lambda: ffmpeg_still("dpx", "rgb24", G8), 8, False, None, 0),
    "dpx 10": (lambda: ffmpeg_still("dpx", "gbrp10le", grey(10)), 16, False, grey(10).astype(int) * 65535 // 1023, 1),
    "dpx 10 big-endian": (
        lambda: ffmpeg_still("dpx", "gbrp10be", grey(10)), 16, False, grey(10).astype(int) * 65535 // 1023, 1
    ),
    "dpx 12": (lambda: ffmpeg_still("dpx", "gbrp12le", grey(12)), 16, False, grey(12).astype(int) * 65535 // 4095, 1),
    "dpx 16": (lambda: ffmpeg_still("dpx", "rgb48le", G16), 16, False, None, 0),
    "dpx grey 16": (lambda: ffmpeg_still("dpx", "gray16be", G16), 16, False, None, 0),
}  # fmt: skip
NEEDS = {"heic": "pi_heif", "raw": "rawpy"}


def _needs(case: str) -> None:
    if (library := NEEDS.get(case.partition(" ")[0])) is not None:
        pytest.importorskip(library, reason=f"{library} is an extra")


@pytest.mark.parametrize("case", CASES)
def test_every_layout_is_read_as_drawn_at_its_own_depth(tmp_path: Path, case: str) -> None:
    _needs(case)
    make, bits, alpha, expected, tolerance = CASES[case]
    photo = _read(tmp_path, make())
    assert photo.spec.bits == bits
    assert (photo.alpha is not None) == alpha
    wanted = grey(bits) if expected is None else expected
    assert photo.luma.shape == G8.shape
    assert np.abs(photo.luma.astype(int) - wanted).max() <= tolerance


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [None, 0, 1])
def test_heic_is_turned_once(tmp_path: Path, turns: int, mirror: int | None) -> None:
    """The container's turn counts; the same turn said in EXIF too must not be applied again."""
    _needs("heic")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = heic(G8, turns=turns, mirror=mirror, exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    photo = _read(tmp_path, data, "a.heic")
    seen = np.rot90(G8, turns)
    if mirror is not None:
        seen = np.flip(seen, axis=mirror)
    assert np.array_equal(photo.luma, seen)
    assert photo.format == "HEIC"
    write_photo(
        photo,
        neutral(photo),
        tmp_path / "b.jpg",
        quality=95,
        provenance=BY,
    )
    assert np.abs(read_photo(tmp_path / "b.jpg", max_pixels=LIMIT).luma.astype(int) - seen).max() <= 6


@pytest.mark.parametrize(("old", "new"), [(b"Exif", b"\xc5xif"), (b"rdf+xml", b"rdf+xm\xec"), (b"mime", b"mim\xe5")])
def test_heic_with_flipped_bits_in_its_list_fails_and_does_not_crash(tmp_path: Path, old: bytes, new: bytes) -> None:
    _needs("heic")
    data = heic(G8, exif=b"MM\0*\0\0\0\x08\0\0\0\0\0\0", xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
    assert _read(tmp_path, data, "a.heic")
    with pytest.raises(DamagedMedia, match="the list of its parts is no text"):
        _read(tmp_path, data.replace(old, new, 1), "a.heic")


def test_heic_metadata_is_read_and_the_gain_map_named(tmp_path: Path) -> None:
    _needs("heic")
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
    )
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    photo = _read(tmp_path, heic(G8, exif=exif.tobytes().removeprefix(b"Exif\0\0"), xmp=xmp, gain_map=True))
    assert b"Maker" in photo.metadata.exif
    assert b'xmp:Rating="4"' in photo.metadata.xmp
    assert any("gain map" in warning for warning in photo.warnings)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_tiff_is_turned_once(tmp_path: Path, orientation: int) -> None:
    tags = [(274, 3, 1, orientation, True)]
    photo = _read(tmp_path, tiff(RGB16, photometric="rgb", extratags=tags))
    shallow = _read(tmp_path, tiff(RGB8, photometric="rgb", extratags=tags))
    assert np.abs((photo.luma >> 8).astype(int) - shallow.luma).max() <= 1
    big = tiff(RGB16, photometric="rgb", extratags=tags, bigtiff=True)
    assert np.array_equal(_read(tmp_path, big).luma, photo.luma)


def test_memory_is_foreseen_for_formats_that_pillow_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(heic(grey(8, 256, 512), tile=128))
    (tmp_path / "b.dng").write_bytes(dng(grey(16, 256, 512)))
    (tmp_path / "c.tif").write_bytes(several_pages())
    assert memory_needed(tmp_path / "a.heic", LIMIT) >= 256 * 512 * BYTES_PER_DEEP_PIXEL
    assert memory_needed(tmp_path / "b.dng", LIMIT) >= 256 * 512 * BYTES_PER_DEEP_PIXEL
    (tmp_path / "d.tif").write_bytes(written_tiff(grey(12, 256, 512)[..., None], 12, packing="zstd"))
    assert memory_needed(tmp_path / "d.tif", LIMIT) >= 256 * 512 * BYTES_PER_DEEP_PIXEL
    assert memory_needed(tmp_path / "a.heic", 1000) < 1_000_000
    assert memory_needed(tmp_path / "c.tif", LIMIT) >= G16.size * BYTES_PER_PIXEL


def test_camera_raw_is_developed_upright_with_its_exif(tmp_path: Path) -> None:
    _needs("raw")
    scene = (grey(16, 96, 128) * 0.6).astype(np.uint16)
    photo = _read(tmp_path, dng(scene, orientation=6), "picture.dng")
    assert photo.format == "RAW"
    assert photo.spec.bits == 16
    assert photo.luma.shape == (128, 96)
    upright = np.rot90(scene, -1).astype(float)
    inner = slice(4, -4), slice(4, -4)
    assert np.corrcoef(photo.luma[inner].ravel(), upright[inner].ravel())[0, 1] > 0.98
    assert any("developed" in warning for warning in photo.warnings)
    write_photo(
        photo,
        neutral(photo),
        tmp_path / "b.tif",
        quality=95,
        provenance=BY,
    )
    with Image.open(tmp_path / "b.tif") as image:
        assert image.tag_v2[272] == "Camera"  # type: ignore[attr-defined]
        assert image.tag_v2[274] == 1  # type: ignore[attr-defined]
        assert 50706 not in image.tag_v2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("library", "name", "make"),
    [("pi_heif", "a.heic", lambda: heic(G8)), ("rawpy", "a.dng", lambda: dng(G16))],
)
def test_without_the_extra_the_install_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, name: str, make: Callable[[], bytes]
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(LibraryMissing, match=f"pip install {library.replace('_', '-')}") as caught:
        _read(tmp_path, make(), name)
    assert caught.value.path == tmp_path / name
    assert caught.value.exit_code == 3


def test_raw_and_heic_are_pictures_by_name_and_by_content(tmp_path: Path) -> None:
    for suffix in (*RAW_SUFFIXES, *FORMAT_SUFFIXES["HEIC"]):
        assert kind_of(tmp_path / f"missing{suffix}") == "photo"
    (tmp_path / "noname").write_bytes(heic(G8))
    (tmp_path / "canon").write_bytes(b"\0\0\0\x18ftypcrx " + bytes(40))
    assert kind_of(tmp_path / "noname") == kind_of(tmp_path / "canon") == "photo"


def test_outputs_go_to_the_nearest_format_that_holds_them(tmp_path: Path) -> None:
    made = {
        "a.heic": (heic(G8), "a.heic.jpg"),
        "deep.heic": (heic(grey(10), bits=10), "deep.heic.png"),
        "b.avif": (pillow("AVIF", RGB8), "b.avif"),
        "deep.avif": (avif(grey(10)), "deep.avif.png"),
        "c.nef": (b"", "c.nef.tif"),
        "d.gif": (pillow("GIF", G8), "d.gif.png"),
        "e.jp2": (pillow("JPEG2000", G8), "e.jp2"),
    }
    for name, (data, target) in made.items():
        (tmp_path / name).write_bytes(data)
        assert with_writable_suffix(Path("out") / name, "photo", tmp_path / name) == Path("out") / target


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2", ".ppm"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_luma_survives_every_deep_format(tmp_path: Path, suffix: str, channels: int) -> None:
    photo = _read(tmp_path, png(with_channels(G16, channels), 16, 2 if channels == 3 else 6))
    rng = np.random.default_rng(1)
    chroma = rng.integers(30000, 36000, (*photo.luma.shape, 2)).astype(np.float32)
    lost = write_photo(photo, chroma, tmp_path / f"out{suffix}", quality=90, provenance=BY)
    again = read_photo(tmp_path / f"out{suffix}", max_pixels=LIMIT)
    assert np.array_equal(again.luma, photo.luma)
    if suffix == ".ppm":
        assert again.alpha is None
        assert any("transparency" in message for message in lost) == (channels == 4)
    elif channels == 4:
        assert photo.alpha is not None
        assert np.array_equal(again.alpha, photo.alpha)  # type: ignore[arg-type]


def _sof(kind: int, bits: int) -> bytes:
    """A JPEG whose frame header says it is of another kind."""
    data = bytearray(pillow("JPEG", RGB8))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = kind, bits
    return bytes(data)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "12-bit jpeg": (lambda: _sof(0xC1, 12), "12 bits"),
    "lossless jpeg": (lambda: _sof(0xC3, 8), "lossless"),
    "float tiff": (lambda: tiff(G8.astype(np.float32)), "floating point"),
    "float rgb tiff": (lambda: tiff(RGB8.astype(np.float32), photometric="rgb"), "3 × 32 bits, floating point"),
    "32-bit tiff": (lambda: tiff(G8.astype(np.uint32)), "32 bits, unsigned integers"),
    "16-bit cmyk tiff": (lambda: tiff(RGBA16, photometric="separated"), "16 bits"),
    "lab tiff": (lambda: pillow("TIFF", Image.fromarray(RGB8).convert("LAB")), "Lab"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_kinds_that_cannot_be_read_are_named(tmp_path: Path, case: str) -> None:
    make, words = REFUSED[case]
    with pytest.raises(UnsupportedMedia, match=words):
        _read(tmp_path, make())


# Archives -------------------------------------------------------------------------------------------------------------


def test_an_archive_of_rare_formats_is_coloured_or_told(
    tmp_path: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages, phone and camera files among others; without the extras they are counted as failures, and tried again later."""
    import tifffile

    _needs("heic")
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "album.tif").write_bytes(several_pages())
    (source / "colour.tif").write_bytes(tiff(np.stack([COLOR, COLOR]), photometric="rgb"))
    (source / "phone.heic").write_bytes(heic(grey(8, 64, 96), tile=32))
    (source / "plain.png").write_bytes(pillow("PNG", G8))
    options = ColorizeOptions(working_size=64)

    def run() -> tuple[int, dict[str, Event]]:
        events: list[Event] = []
        plan = make_plan([source], out, overwrite=False, memory=Memory(options))
        code = run_plan(plan, Running(lambda: Colorizer(str(fresh_weights), "cpu"), options, events.append))
        return code, {event.source.name: event for event in events if isinstance(event, (Done, Skipped, Failed))}

    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pi_heif", None)
        code, results = run()
    assert code == 3
    kinds = {name: type(event).__name__ for name, event in results.items()}
    assert kinds == {"album.tif": "Done", "colour.tif": "Skipped", "phone.heic": "Failed", "plain.png": "Done"}
    assert isinstance(failed := results["phone.heic"], Failed)
    assert "pip install pi-heif" in failed.hint
    code, results = run()
    assert code == 0, "a library that was missing is no lasting fault of the file"
    assert isinstance(results["phone.heic"], Done)
    assert sorted(path.name for path in out.glob("[!.]*")) == ["album.tif", "phone.heic.jpg", "plain.png"]
    with tifffile.TiffFile(out / "album.tif") as file:
        assert len(file.pages) == 3
        assert np.array_equal(file.pages[1].asarray(), COLOR)
    again = list(read_pages(out / "album.tif", max_pixels=LIMIT))
    before = list(read_pages(source / "album.tif", max_pixels=LIMIT))
    assert all(np.array_equal(one.luma, two.luma) for one, two in zip(before, again, strict=True))
    (found,) = inspect([source / "album.tif"], options, Selection())
    assert found.decision == "color"
    assert "page 1 of 3" in found.reason


# Damage ---------------------------------------------------------------------------------------------------------------

SAMPLES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: pillow("JPEG", RGB8),
    "png": lambda: pillow("PNG", RGB8),
    "png 16": lambda: png(RGB16, 16, 2),
    "tiff": lambda: pillow("TIFF", RGB8, compression="tiff_lzw"),
    "tiff 16": lambda: tiff(RGB16, photometric="rgb", tile=(32, 32)),
    "tiff planar": lambda: tiff(np.moveaxis(RGB16, 2, 0).copy(), photometric="rgb", planarconfig="separate"),
    "tiff pages": several_pages,
    "webp": lambda: pillow("WEBP", RGBA8, lossless=True),
    "avif": lambda: pillow("AVIF", RGB8),
    "avif 10": lambda: avif(grey(10)),
    "heic": lambda: heic(G8, tile=16),
    "gif": lambda: pillow("GIF", G8),
    "bmp": lambda: pillow("BMP", RGB8),
    "jpeg 2000": lambda: pillow("JPEG2000", RGB8),
    "ppm 16": lambda: _opencv(".ppm", RGB16),
    "raw": lambda: dng(G16),
    "tga": lambda: pillow("TGA", RGB8, compression="tga_rle"),
    "sgi 16": lambda: ffmpeg_still("sgi", "rgb48be", G16),
    "psd": lambda: psd(RGB8),
    "psd 16": lambda: psd(RGB16),
    "dpx": lambda: ffmpeg_still("dpx", "gbrp10le", grey(10)),
}


def _survives(folder: Path, data: bytes, suffix: str) -> bool:
    """Whether it could be read; every other end is a FileProblem that says why. A picture that is read can be written."""
    path = folder / f"a{suffix}"
    path.write_bytes(data)
    problem = None
    try:
        for photo in read_pages(path, max_pixels=LIMIT):
            assert photo.luma.size <= LIMIT
            chroma = np.full((*photo.luma.shape, 2), photo.spec.chroma_mid, np.float32)
            write_photo(photo, chroma, folder / "b.png", quality=90, provenance=BY)
    except FileProblem as found:
        problem = found
    if problem is not None:
        assert problem.path in (path, folder / "b.png")
        assert problem.why
    return problem is None


@pytest.mark.parametrize("kind", SAMPLES)
def test_cut_files_are_refused(tmp_path: Path, kind: str) -> None:
    """A half is never enough, for any format; the same for most places, whatever is behind the pixels apart."""
    _needs(kind)
    whole = SAMPLES[kind]()
    suffix = ".dng" if kind == "raw" else ".bin"
    assert _survives(tmp_path, whole, suffix)
    for share in (0.02, 0.3, 0.5, 0.75):
        (tmp_path / "b.png").unlink(missing_ok=True)
        if kind == "tiff pages" and share == 0.75:
            continue  # checked above: its first pages may be whole
        assert not _survives(tmp_path, whole[: int(len(whole) * share)], suffix), share
        assert kind == "tiff pages" or not (tmp_path / "b.png").exists()


@pytest.mark.parametrize("kind", SAMPLES)
def test_flipped_bits_never_crash(tmp_path: Path, kind: str) -> None:
    """Where a decoder cannot know, the picture may come out wrong; anything else is an error that says why."""
    _needs(kind)
    whole = SAMPLES[kind]()
    rng = np.random.default_rng(sum(kind.encode()))
    for _ in range(25):
        data = bytearray(whole)
        head = int(rng.integers(0, 2))  # headers are where it hurts
        for place in rng.integers(0, min(len(data), 400) if head else len(data), 3):
            data[place] ^= 1 << int(rng.integers(0, 8))
        _survives(tmp_path, bytes(data), ".dng" if kind == "raw" else ".bin")
