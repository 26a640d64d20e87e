"""The one walk over TIFF directories: what is there in both forms, and an error for all that is cut or makes no sense."""

from __future__ import annotations

import struct

import pytest
from PIL.ExifTags import Base

from colorize_media.metadata.directories import classic_form, form_of, tag_bytes, tag_numbers
from colorize_media.metadata.tiff_pages import pages_of
from tests.made.pictures import several_pages

FORMS = [(order, big) for order in "<>" for big in (False, True)]


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_tags_are_found_in_files_of_both_forms_and_orders(order: str, big: bool) -> None:
    data = several_pages(order, big=big)
    form = form_of(data)
    assert form is not None
    assert (form.order, form.big) == (order, big)
    assert (classic_form(data) is None) == big
    assert tag_bytes(data, Base.ImageDescription) == b"first\0"
    assert (tag_numbers(data, Base.ImageWidth), tag_numbers(data, Base.BitsPerSample)) == ((64,), (16,))
    assert (tag_bytes(data, Base.Artist), tag_numbers(data, Base.ImageDescription)) == (b"", ())
    pages = pages_of(data)
    assert pages is not None
    for number, size in enumerate((64, 64, 40)):
        alone = pages.alone(number)
        assert tag_numbers(alone, Base.ImageWidth) == (size,)
        once = pages_of(alone)
        assert once is not None
        assert len(once.pages) == 1


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_a_link_that_leads_out_of_the_file_or_back_is_an_error(order: str, big: bool) -> None:
    data = several_pages(order, big=big)
    pages = pages_of(data)
    assert pages is not None
    beyond = (1 << 63 if big else 1 << 31) + 100  # more than a machine's addresses reach
    for place, why in (
        (len(data) + 100, "inside a directory"),
        (beyond, "inside a directory"),
        (pages.pages[0].start, "never ends"),
    ):
        broken = bytearray(data)
        struct.pack_into(pages.form.offset, broken, pages.pages[1].link, place)
        with pytest.raises(ValueError, match=why):
            pages_of(bytes(broken))


@pytest.mark.parametrize(("order", "big"), FORMS)
def test_a_directory_that_says_more_than_the_file_holds_is_an_error(order: str, big: bool) -> None:
    data = several_pages(order, big=big)
    form, pages = form_of(data), pages_of(data)
    assert form is not None
    assert pages is not None
    broken = bytearray(data)
    start = pages.pages[1].start
    struct.pack_into(f"{order}Q" if big else f"{order}H", broken, start, 1 << 60 if big else 65535)
    with pytest.raises(ValueError, match="inside a directory"):
        form.entries_at(broken, start)
    with pytest.raises(ValueError, match="inside a directory"):
        pages_of(bytes(broken))


def test_a_value_that_is_not_there_is_none() -> None:
    data = bytearray(several_pages())
    form = form_of(data)
    assert form is not None
    entries, _ = form.entries_at(data, form.first(data))
    entry = next(entry for entry in entries if entry.tag == Base.ImageDescription)
    for place, number in ((4, 1 << 30), (2, 99)):  # how many, and of which type
        broken = bytearray(data)
        struct.pack_into("<L" if place == 4 else "<H", broken, entry.place - 8 + place, number)
        assert tag_bytes(bytes(broken), Base.ImageDescription) == b""
    for head in (b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"II+\0\x08\0\0\0", b"MM\0*" + bytes(4)):
        assert tag_bytes(head, Base.ImageWidth) == b""
