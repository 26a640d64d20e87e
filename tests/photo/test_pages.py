"""TIFF files of several pages: each read, coloured or kept, in files with offsets of 32 and of 64 bits; damage costs all."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colorize_media.errors import DamagedMedia, UnsupportedMedia
from colorize_media.photo.pages import read_pages, read_photo, write_pages
from colorize_media.photo.picture import Photo
from tests.made.photos import color_picture, neutral
from tests.made.pictures import grey, several_pages
from tests.made.records import BY

LIMIT = 10_000_000  # pixels
G8, G16 = grey(), grey(16)


def _read(folder: Path, data: bytes) -> Photo:
    path = folder / "a.tif"
    path.write_bytes(data)
    return read_photo(path, max_pixels=LIMIT)


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_page_is_coloured_and_a_kept_one_is_the_same(tmp_path: Path, order: str) -> None:
    source = tmp_path / "in.tif"
    source.write_bytes(several_pages(order))
    photos = list(read_pages(source, max_pixels=LIMIT))
    assert [photo.pages for photo in photos] == [3, 3, 3]
    assert [photo.spec.bits for photo in photos] == [16, 8, 8]

    def color_page(photo: Photo) -> Callable[[int, int], NDArray[np.float32]] | None:
        if photo.spec.bits == 8 and photo.size[0] == 64:
            return None
        chroma = neutral(photo)
        return lambda top, bottom: chroma(top, bottom) + (photo.spec.max_code // 20)

    write_pages(source, tmp_path / "out.tif", color_page, max_pixels=LIMIT, provenance=BY)
    again = list(read_pages(tmp_path / "out.tif", max_pixels=LIMIT))
    assert [photo.spec.bits for photo in again] == [16, 8, 8]
    assert all(np.array_equal(one.luma, two.luma) for one, two in zip(photos, again, strict=True))
    with tifffile.TiffFile(tmp_path / "out.tif") as file, tifffile.TiffFile(source) as before:
        assert [page.description for page in file.pages] == ["first", "second", "third"]
        assert file.byteorder == order
        assert np.array_equal(file.pages[1].asarray(), before.pages[1].asarray())
        assert file.pages[1].compression == before.pages[1].compression
        assert [page.samplesperpixel for page in file.pages] == [3, 3, 3]
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == 3


def test_pages_need_a_format_that_holds_them_and_a_damaged_one_costs_all(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    source.write_bytes(several_pages())
    with pytest.raises(UnsupportedMedia, match="holds only one"):
        write_pages(source, tmp_path / "out.png", lambda photo: None, max_pixels=LIMIT, provenance=BY)
    data = bytearray(several_pages())
    at = data.index(b"third")
    source.write_bytes(data[:at])
    with pytest.raises((DamagedMedia, UnsupportedMedia)):
        write_pages(source, tmp_path / "out.tif", lambda photo: None, max_pixels=LIMIT, provenance=BY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.tif"]


def test_reduced_copy_at_the_end_is_no_page(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as writer:
        writer.write(G8, metadata=None)
        writer.write(G8[::2, ::2].copy(), subfiletype=1, metadata=None)
    assert _read(tmp_path, memory.getvalue()).pages == 1


def test_pages_that_run_in_a_circle_are_refused(tmp_path: Path) -> None:
    data = bytearray(several_pages())
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    data[first + 2 + 12 * count : first + 6 + 12 * count] = data[4:8]
    with pytest.raises(DamagedMedia, match="never ends"):
        _read(tmp_path, bytes(data))


def test_reduced_copy_in_a_tiff_is_dropped_and_named(tmp_path: Path) -> None:
    pages = [Image.fromarray(color_picture()), Image.fromarray(color_picture(10, 14))]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:])
    photo = read_photo(tmp_path / "in.tif", max_pixels=LIMIT)
    assert photo.size == (56, 40)
    assert any("reduced copies" in warning for warning in photo.warnings)


def _kept(photo: Photo) -> None:
    """Leaves every page as it is."""


def test_pages_with_64_bit_offsets_are_kept_in_a_plain_tiff(tmp_path: Path) -> None:
    """Little-endian ones: Pillow cannot open the others."""
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    source.write_bytes(several_pages(big=True))
    assert write_pages(source, target, _kept, max_pixels=LIMIT, provenance=BY) == ()
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(target) as after:
        assert (before.is_bigtiff, after.is_bigtiff) == (True, False)
        for one, two in zip(before.pages, after.pages, strict=True):
            assert np.array_equal(one.asarray(), two.asarray())
            assert (one.compression, one.description) == (two.compression, two.description)


@pytest.mark.parametrize("big", [False, True])
def test_a_page_without_metadata_shows_the_same(tmp_path: Path, big: bool) -> None:
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    source.write_bytes(several_pages(big=big))
    write_pages(source, target, _kept, max_pixels=LIMIT, provenance=None, strip=True)
    assert b"second" not in target.read_bytes()
    before, after = (list(read_pages(path, max_pixels=LIMIT)) for path in (source, target))
    assert all(np.array_equal(one.luma, two.luma) for one, two in zip(before, after, strict=True))


@pytest.mark.parametrize("big", [False, True])
def test_a_chain_that_is_cut_is_refused_and_no_shorter_file(tmp_path: Path, big: bool) -> None:
    """Where a lenient reader would give the pages in front of the cut, and half an album would look like a whole one."""
    whole = several_pages(big=big)
    for cut in range(1, 200, 7):
        path = tmp_path / "a.tif"
        path.write_bytes(whole[:-cut])
        with pytest.raises((DamagedMedia, UnsupportedMedia)):
            list(read_pages(path, max_pixels=LIMIT))


def test_refusals_and_warnings_say_the_page(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with tifffile.TiffWriter(memory) as writer:
        writer.write(G8, metadata=None)
        writer.write(G8.astype(np.float32), metadata=None)
    (tmp_path / "a.tif").write_bytes(memory.getvalue())
    pages = read_pages(tmp_path / "a.tif", max_pixels=LIMIT)
    assert next(pages).pages == 2
    with pytest.raises(UnsupportedMedia, match=r"page 2 of 2: .*floating point") as caught:
        next(pages)
    assert caught.value.path == tmp_path / "a.tif"
