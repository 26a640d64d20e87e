"""The boxes of HEIC and AVIF: what a picture's description says, in whole files, cut ones and ones that make no sense."""

from __future__ import annotations

import struct

import pytest

from colorize_media.files.boxes import (
    av1_bits,
    boxes,
    brands,
    contents,
    has_alpha,
    hevc_bits,
    is_cut,
    is_heic,
    picture_sizes,
    transfer,
)
from tests.made.pictures import avif, grey, heic, pillow, with_channels

HEAD = b"ftypavif" + bytes(4) + b"mif1"


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">L", 8 + len(body)) + kind + body


def described(*properties: bytes) -> bytes:
    return box(HEAD[:4], HEAD[4:]) + box(b"meta", bytes(4), box(b"iprp", box(b"ipco", *properties)))


def test_what_encoders_write_is_found() -> None:
    made = avif(grey(10))
    assert (av1_bits(made), brands(made)[0], is_heic(made), is_cut(made)) == (10, b"avif", False, False)
    assert picture_sizes(made) == [grey(10).shape[::-1]]
    assert av1_bits(pillow("AVIF", grey())) == 8


def test_what_phones_write_is_found() -> None:
    pytest.importorskip("pi_heif", reason="its encoder is made with it")
    made = heic(grey(10), bits=10)
    assert (hevc_bits(made), is_heic(made), is_cut(made)) == (10, True, False)
    assert grey(10).shape[::-1] in picture_sizes(made)
    assert is_cut(made[:-1])


def test_transparency_and_transfer_are_named_by_their_boxes() -> None:
    assert has_alpha(pillow("AVIF", with_channels(grey(), 4)))
    assert not has_alpha(pillow("AVIF", grey()))
    assert transfer(described(box(b"colr", b"nclx", struct.pack(">HHH", 9, 16, 9), b"\x80"))) == 16
    assert transfer(described(box(b"colr", b"prof", bytes(100)))) is None


def test_a_word_in_the_pixels_is_no_box() -> None:
    """Where a search for the four letters would find them."""
    size = box(b"ispe", bytes(4), struct.pack(">LL", 17000, 17000))
    assert picture_sizes(described() + box(b"mdat", size)) == []
    assert picture_sizes(described(size)) == [(17000, 17000)]
    assert picture_sizes(size) == [], "a file without boxes"


def test_sizes_that_make_no_sense_end_the_walk() -> None:
    for data in (b"", b"\0", bytes(100), b"\0\0\0\1" + HEAD, b"\xff" * 40, described()[:-3], b"\0\0\0\3ftyp" * 9):
        assert len(list(boxes(data))) <= 1 + len(data) // 8
        assert list(contents(data, b"ispe")) == []
    assert [
        one.kind for one in boxes(struct.pack(">L", 1) + b"free" + struct.pack(">Q", 20) + bytes(4) + box(b"skip"))
    ] == [
        b"free",
        b"skip",
    ]


def test_boxes_in_boxes_without_end_are_walked_in_steps() -> None:
    deep = b"".join(struct.pack(">L", 8 * left) + b"moov" for left in range(20_000, 0, -1))
    assert list(contents(box(b"ftyp") + deep, b"ispe")) == []
