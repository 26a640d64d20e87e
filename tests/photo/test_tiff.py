"""README's "1 to 16 bits, strips, tiles, planes, any common compression": each comes back as it was drawn."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colorize_media.errors import DamagedMedia, UnsupportedMedia
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from colorize_media.photo.write import write_photo
from tests.made.photos import neutral
from tests.made.pictures import grey, pillow, tiff, with_channels
from tests.made.tiffs import PACKINGS, written_tiff

LIMIT = 10_000_000  # pixels


def _codes(bits: int) -> NDArray[Any]:
    return (grey() > 90).astype(np.uint8) if bits == 1 else grey(bits)


def _read(folder: Path, data: bytes) -> Photo:
    (folder / "a.tif").write_bytes(data)
    return read_photo(folder / "a.tif", max_pixels=LIMIT)


def _shown(codes: NDArray[Any], bits: int) -> NDArray[Any]:
    """In 8 or 16 bits."""
    return np.rint(codes.astype(float) * (255 if bits <= 8 else 65535) / ((1 << bits) - 1)).astype(int)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16])
def test_every_depth_layout_and_packing_is_read_as_drawn(
    tmp_path: Path, bits: int, channels: int, packing: str
) -> None:
    samples = np.repeat(_codes(bits)[..., None], channels, axis=2)
    wanted = _shown(samples[..., 0], bits)
    for planar, tile, order in itertools.product((False, True)[: 1 + (channels > 1)], (0, 32), "<>"):
        predicted = bits in (8, 16) and packing not in ("none", "packbits")
        data = written_tiff(samples, bits, packing=packing, planar=planar, tile=tile, order=order, predicted=predicted)
        photo = _read(tmp_path, data)
        where = f"planar {planar}, tile {tile}, order {order}"
        assert photo.spec.bits == (8 if bits <= 8 else 16), where
        assert np.abs(photo.luma.astype(int) - wanted).max() <= (bits < 8), where
        assert photo.warnings == ()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
def test_white_is_zero_at_every_depth(tmp_path: Path, bits: int) -> None:
    codes = _codes(bits)
    photo = _read(tmp_path, written_tiff(((1 << bits) - 1 - codes)[..., None], bits, photometric=0))
    assert np.abs(photo.luma.astype(int) - _shown(codes, bits)).max() <= (bits < 8)


@pytest.mark.parametrize("bits", [1, 4])
def test_bits_the_other_way_round(tmp_path: Path, bits: int) -> None:
    photo = _read(tmp_path, written_tiff(_codes(bits)[..., None], bits, fill_order=2))
    assert np.abs(photo.luma.astype(int) - _shown(_codes(bits), bits)).max() <= 1


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_compressions(tmp_path: Path, compression: str) -> None:
    photo = _read(tmp_path, pillow("TIFF", Image.fromarray(grey() > 90), compression=compression))
    assert np.array_equal(photo.luma, (grey() > 90) * 255)


@pytest.mark.parametrize(
    ("bits", "channels", "tile"), [(8, 1, None), (8, 3, (32, 32)), (12, 1, None), (12, 1, (32, 32))]
)
def test_jpeg_inside_tiff(tmp_path: Path, bits: int, channels: int, tile: Any) -> None:
    samples = _codes(bits) if channels == 1 else with_channels(_codes(bits), 3)
    more = {"bitspersample": bits} if bits == 12 else {}
    kind = "minisblack" if channels == 1 else "rgb"
    photo = _read(tmp_path, tiff(samples, photometric=kind, compression="jpeg", tile=tile, **more))
    assert np.abs(photo.luma.astype(int) - _shown(_codes(bits), bits)).max() <= (3 if bits == 8 else 64)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("planar", [False, True])
def test_a_channel_of_unknown_use_is_no_transparency_and_stays_one_in_tiff(
    tmp_path: Path, bits: int, channels: int, planar: bool
) -> None:
    """Infrared of a scanner, at 8 bits as at 16; turned with the picture. Where it cannot stay it is named."""
    import tifffile

    samples = np.repeat(grey(bits)[..., None], channels, axis=2)
    samples[..., -1] = grey(bits)[::-1]
    photo = _read(tmp_path, written_tiff(samples, bits, extra=(0,), planar=planar))
    assert photo.alpha is None
    assert np.array_equal(photo.luma, grey(bits))
    assert photo.warnings == ()
    assert write_photo(photo, neutral(photo), tmp_path / "out.tif", quality=90, provenance=None) == ()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        page = file.pages.first
        assert (page.samplesperpixel, page.extrasamples, page.bitspersample) == (4, (0,), bits)
        assert np.array_equal(page.asarray()[..., 3], samples[..., -1])
        assert np.array_equal(page.asarray()[..., 0], grey(bits))
    (told,) = write_photo(photo, neutral(photo), tmp_path / "out.png", quality=90, provenance=None)
    assert told == (
        "a channel beside the picture's own, of which the file does not say what it is (infrared, a spot colour, a mask), "
        "is not carried over (.tif keeps what is there)"
    )


def test_transparency_behind_an_unknown_channel_stays(tmp_path: Path) -> None:
    samples = np.repeat(grey(16)[..., None], 5, axis=2)
    samples[..., 3], samples[..., 4] = 7, 40_000
    photo = _read(tmp_path, written_tiff(samples, 16, extra=(0, 2)))
    assert photo.alpha is not None
    assert (photo.alpha == 40_000).all()
    assert photo.extras is not None
    assert (photo.extras == 7).all()
    write_photo(photo, neutral(photo), tmp_path / "out.tif", quality=90, provenance=None)
    back = read_photo(tmp_path / "out.tif", max_pixels=LIMIT)
    assert back.alpha is not None
    assert back.extras is not None
    assert np.array_equal(back.alpha, photo.alpha)
    assert np.array_equal(back.extras, photo.extras)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_odd_depths_are_turned_once_and_keep_what_they_say(tmp_path: Path, orientation: int) -> None:
    tags = ((274, 3, (orientation,)), (270, 2, b"Box 7, plate 12\0"), (271, 2, b"Maker\0"))
    photo = _read(tmp_path, written_tiff(grey(12)[..., None], 12, tags=tags))
    shallow = _read(tmp_path, written_tiff(grey()[..., None], 8, tags=tags))
    assert photo.luma.shape == shallow.luma.shape
    assert np.abs((photo.luma >> 8).astype(int) - shallow.luma).max() <= 1
    out = tmp_path / "out.tif"
    write_photo(photo, neutral(photo), out, quality=90, provenance=None)
    with Image.open(out) as image:
        tags_out = image.tag_v2  # type: ignore[attr-defined]
        assert (tags_out[270], tags_out[271], tags_out[274]) == ("Box 7, plate 12", "Maker", 1)
    assert np.array_equal(read_photo(out, max_pixels=LIMIT).luma, photo.luma)


def test_what_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    for packing, tile in itertools.product(PACKINGS, (0, 32)):
        data = written_tiff(np.repeat(grey(12)[..., None], 3, axis=2), 12, packing=packing, tile=tile)
        for share in (0.3, 0.9, 0.99):
            with pytest.raises(DamagedMedia):
                _read(tmp_path, data[: int(len(data) * share)])


def test_strips_that_are_not_there_are_damage(tmp_path: Path) -> None:
    """The header speaks of twice the rows."""
    with pytest.raises(DamagedMedia, match="does not say where its pixels are"):
        _read(tmp_path, written_tiff(grey(12)[..., None], 12, tags=((257, 4, (96,)),)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tiff(grey().astype(np.float32)), "1 × 32 bits, floating point"),
        (lambda: tiff(grey().astype(np.uint32)), "1 × 32 bits, unsigned integers"),
        (lambda: tiff(grey(16).astype(np.int16)), "1 × 16 bits, signed integers"),
        (lambda: tiff(grey().astype(np.int8)), "1 × 8 bits, signed integers"),
        (lambda: tiff(with_channels(grey(16), 4), photometric="separated"), "4 × 16 bits, .*CMYK"),
    ],
)
def test_layouts_that_are_not_read_are_called_what_they_are(tmp_path: Path, make: Any, words: str) -> None:
    with pytest.raises(UnsupportedMedia, match=words) as caught:
        _read(tmp_path, make())
    assert "TIFF" in caught.value.why
    assert "plain 8-bit or 16-bit TIFF" in caught.value.hint
