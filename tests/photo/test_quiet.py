"""Decoders' libraries say nothing on standard error while we decode, and everything as before when we do not."""

from __future__ import annotations

import io
import logging
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from colorize_media.photo.quiet import HEARS_LIBTIFF, MOST_ERRORS, quiet_decoders
from tests.made.pictures import damaged_fax, grey, tiff

listens = pytest.mark.skipif(not HEARS_LIBTIFF, reason="this Pillow hides its libtiff: its errors CANNOT be heard")


def _load(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()


@listens
def test_libtiff_is_heard_by_who_decodes_and_by_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_decoders() as told:
        _load(damaged_fax())
        with quiet_decoders() as nested:
            _load(tiff(grey(), compression="zlib"))
    assert told[0].startswith("Fax4Decode: Bad code word at line ")
    assert not told[0].endswith(".")
    assert len(told) == MOST_ERRORS
    assert nested == []
    assert capfd.readouterr() == ("", "")
    _load(damaged_fax())
    assert "Bad code word" in capfd.readouterr().err


@listens
def test_each_thread_hears_of_its_own_file() -> None:
    heard: dict[int, list[str]] = {}
    together = threading.Barrier(4)

    def decode(number: int) -> None:
        data = damaged_fax() if number % 2 else tiff(grey(), compression="zlib")
        together.wait()
        with quiet_decoders() as told:
            _load(data)
        heard[number] = told

    threads = [threading.Thread(target=decode, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: bool(told) for number, told in heard.items()} == {0: False, 1: True, 2: False, 3: True}


def test_all_settings_are_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    cut = np.frombuffer(tiff(grey(16), compression="zlib")[:-30], np.uint8)
    log = logging.getLogger("PIL.TiffImagePlugin")
    handlers = list(logging.getLogger("PIL").handlers)
    limit, level = Image.MAX_IMAGE_PIXELS, cv2.utils.logging.getLogLevel()
    with quiet_decoders():
        with quiet_decoders():
            assert Image.MAX_IMAGE_PIXELS is None
        assert cv2.imdecode(cut, cv2.IMREAD_UNCHANGED) is None
        log.error("More samples per pixel than can be decoded")
        assert Image.MAX_IMAGE_PIXELS is None
    assert capfd.readouterr() == ("", "")
    assert (Image.MAX_IMAGE_PIXELS, cv2.utils.logging.getLogLevel()) == (limit, level)
    assert logging.getLogger("PIL").handlers == handlers
    assert cv2.imdecode(cut, cv2.IMREAD_UNCHANGED) is None
    assert "imdecode" in capfd.readouterr().err
