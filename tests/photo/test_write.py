"""Writing photographs: names, what a format cannot hold, errors; whole or absent."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, features

from colorize_media.errors import (
    InputIsOutput,
    OutputUnwritable,
    UnsupportedMedia,
)
from colorize_media.files.formats import FORMAT_SUFFIXES, NOT_WRITABLE, PHOTO_SUFFIXES, WRITABLE_PHOTO
from colorize_media.photo.pages import read_photo
from colorize_media.photo.picture import Photo
from colorize_media.photo.pixels import strips
from colorize_media.photo.write import can_hold, encoder_for, write_photo
from tests.made.photos import (
    brown,
    color_picture,
    grey_picture,
    luma_of,
    neutral,
    save,
    tinted,
    written,
    written_rgb,
)
from tests.made.records import BY, made_record

LIMIT = 10_000_000  # pixels


def listing(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    (tmp_path / "source").mkdir()
    return read_photo(save(tmp_path / "source" / "in.png", color_picture(300, 400)), max_pixels=LIMIT)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".jp2", ".ppm"])
def test_written_8_bit_luma_is_the_sources(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture(90, 70)), max_pixels=LIMIT)
    write_photo(photo, tinted(photo), tmp_path / f"out{suffix}", quality=90, provenance=BY)
    assert np.array_equal(np.rint(luma_of(written_rgb(tmp_path / f"out{suffix}"))), photo.luma)


def test_rows_are_asked_in_strips_and_a_wrong_shape_is_a_bug(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", color_picture(300, 400)), max_pixels=LIMIT)
    whole = tinted(photo)
    asked: list[tuple[int, int]] = []

    def rows(top: int, bottom: int) -> NDArray[np.float32]:
        asked.append((top, bottom))
        return whole[top:bottom]

    for suffix in (".png", ".jpg", ".tif"):
        asked.clear()
        write_photo(photo, rows, tmp_path / f"strips{suffix}", quality=90, provenance=BY)
        assert asked == list(strips(300, 400))
        assert len(asked) > 1
        write_photo(photo, whole, tmp_path / f"whole{suffix}", quality=90, provenance=BY)
        assert np.array_equal(written_rgb(tmp_path / f"strips{suffix}"), written_rgb(tmp_path / f"whole{suffix}"))
    with pytest.raises(ValueError, match="shape"):
        write_photo(photo, lambda top, bottom: whole[top:bottom, 1:], tmp_path / "bad.png", quality=90, provenance=BY)
    assert "bad.png" not in listing(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_alpha_is_carried_or_warned_about(tmp_path: Path, suffix: str) -> None:
    rgba = np.dstack((color_picture(), grey_picture(seed=5)))
    photo = read_photo(save(tmp_path / "in.png", rgba), max_pixels=LIMIT)
    assert write_photo(photo, brown(photo), tmp_path / f"out{suffix}", quality=95, provenance=BY) == ()
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert np.array_equal(np.asarray(image.convert("RGBA"))[..., 3], rgba[..., 3])
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=95, provenance=BY)
    assert "transparency" in warning


def test_16_bit_into_8_bit_is_rounded_and_said(tmp_path: Path) -> None:
    deep = grey_picture(bits=16)
    cv2.imwrite(str(tmp_path / "in.png"), deep)
    photo = read_photo(tmp_path / "in.png", max_pixels=LIMIT)
    (warning,) = write_photo(photo, brown(photo), tmp_path / "out.jpg", quality=100, provenance=BY)
    assert "8 bits" in warning
    again = read_photo(tmp_path / "out.jpg", max_pixels=LIMIT)
    assert np.abs(again.luma - deep / 257.0).max() <= 2.5


NAMES = [
    "-rf.jpg",
    "a\nb.png",
    "%03d.png",
    "a:b.jpg",
    "https:host.jpg",
    "*.tif",
    "été 雪.webp",
    ".jpg.jpg",
    "a" * 250 + ".png",
]


@pytest.mark.parametrize("name", NAMES)
def test_strange_names_are_only_names(tmp_path: Path, name: str) -> None:
    source = save(tmp_path / name, color_picture(), format={".jpg": "JPEG", ".tif": "TIFF"}.get(name[-4:]))
    photo = read_photo(source, max_pixels=LIMIT)
    target = tmp_path / "to" / name
    target.parent.mkdir()
    write_photo(photo, brown(photo), target, quality=90, provenance=BY)
    assert listing(target.parent) == [name]
    assert read_photo(target, max_pixels=LIMIT).size == photo.size


def test_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    photo = read_photo(save(tmp_path / name, color_picture(), format="PNG"), max_pixels=LIMIT)
    write_photo(photo, brown(photo), tmp_path / "out.png", quality=90, provenance=made_record(source=name))
    assert "caf\ufffd.png".encode() in read_photo(tmp_path / "out.png", max_pixels=LIMIT).metadata.xmp


def test_missing_folder_and_folder_in_the_way(tmp_path: Path, photo: Photo) -> None:
    with pytest.raises(OutputUnwritable, match=r"No such file.*create the folder"):
        write_photo(photo, neutral(photo), tmp_path / "none" / "out.png", quality=90, provenance=BY)
    (tmp_path / "out.png").mkdir()
    (tmp_path / "out.png" / "x").touch()
    with pytest.raises(OutputUnwritable, match="folder has this name"):
        write_photo(photo, neutral(photo), tmp_path / "out.png", quality=90, provenance=BY)
    with pytest.raises(OutputUnwritable, match="create the folder"):
        write_photo(photo, neutral(photo), tmp_path / "source" / "in.png" / "out.png", quality=90, provenance=BY)
    assert listing(tmp_path) == ["out.png", "source"]


@pytest.mark.parametrize("suffix", sorted(WRITABLE_PHOTO))
def test_full_disk_leaves_nothing(tmp_path: Path, photo: Photo, suffix: str) -> None:
    """A real failing write: the process may not make files larger than 2,000 bytes for a moment."""
    if suffix == ".avif":
        pytest.importorskip("PIL._avif")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    colour = tinted(photo)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputUnwritable, match="free some space"):
            write_photo(photo, colour, tmp_path / f"out{suffix}", quality=95, provenance=BY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert listing(tmp_path) == ["source"]


def test_read_only_folder(tmp_path: Path, photo: Photo) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user writes everywhere (root)")
    with pytest.raises(OutputUnwritable, match=r"ermission"):
        write_photo(photo, neutral(photo), folder / "out.png", quality=90, provenance=BY)


@pytest.mark.parametrize("failure", [RuntimeError("out of memory on the device"), KeyboardInterrupt()])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_failure_while_colouring_leaves_the_old_output_as_it_was(
    tmp_path: Path, photo: Photo, suffix: str, failure: BaseException
) -> None:
    target = written(tmp_path / f"out{suffix}", b"an older output")

    def fail(top: int, bottom: int) -> NDArray[np.float32]:
        raise failure

    with pytest.raises(type(failure)):
        write_photo(photo, fail, target, quality=90, provenance=BY)
    assert target.read_bytes() == b"an older output"
    assert listing(tmp_path) == [target.name, "source"]


def test_original_is_never_replaced(tmp_path: Path, photo: Photo) -> None:
    before = photo.path.read_bytes()
    (tmp_path / "link.png").symlink_to(photo.path)
    os.link(photo.path, tmp_path / "hard.png")
    for target in (photo.path, tmp_path / "link.png", tmp_path / "hard.png"):
        with pytest.raises(InputIsOutput):
            write_photo(photo, neutral(photo), target, quality=90, provenance=BY)
    assert photo.path.read_bytes() == before


def test_new_files_have_the_rights_of_any_new_file(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "plain").touch()
    write_photo(photo, neutral(photo), tmp_path / "out.png", quality=90, provenance=BY)
    assert (tmp_path / "out.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_can_hold_warns_and_refuses() -> None:
    assert can_hold(".PNG", 16, True) == ()
    assert can_hold(".tiff", 16, True) == ()
    assert can_hold(".jpg", 8, False) == ()
    lost = can_hold(".jpeg", 16, True)
    assert len(lost) == 2
    assert all("(.png and .tif keep" in warning for warning in lost)
    for suffix, why in ((".gif", "256 colours"), (".pgm", "only grey"), (".xyz", ".xyz"), ("", "no extension")):
        with pytest.raises(UnsupportedMedia, match=why) as caught:
            can_hold(suffix, 8, False)
        assert ".png" in caught.value.hint


def test_side_too_long_for_webp(tmp_path: Path) -> None:
    photo = read_photo(save(tmp_path / "in.png", np.zeros((2, 16400), np.uint8)), max_pixels=LIMIT)
    with pytest.raises(UnsupportedMedia, match="16383"):
        write_photo(photo, neutral(photo), tmp_path / "out.webp", quality=90, provenance=BY)
    write_photo(photo, neutral(photo), tmp_path / "out.jpg", quality=90, provenance=BY)


@pytest.mark.parametrize("suffix", sorted(PHOTO_SUFFIXES))
def test_every_extension_has_an_encoder_or_a_reason_why_not(suffix: str) -> None:
    if suffix in NOT_WRITABLE:
        with pytest.raises(UnsupportedMedia, match=NOT_WRITABLE[suffix]):
            encoder_for(Path(f"a{suffix}"))
    elif suffix != ".avif" or features.check("avif"):
        assert suffix in FORMAT_SUFFIXES[encoder_for(Path(f"a{suffix}")).container.name]
