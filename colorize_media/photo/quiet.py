"""Decoders' libraries write about a file to standard error, without its name: they are kept quiet, and libtiff is listened to.

What keeps them quiet are settings of the whole process (Pillow's limit on pixels, Python's warnings, loggers, OpenCV's log
level, libtiff's handler), so all are set aside while any thread decodes. LibRaw has no such setting that Python reaches.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
from PIL import Image

_lock = threading.Lock()
_inside = 0
_restore: list[Any] = []
_nowhere = logging.NullHandler()  # a logger with any handler does not write to standard error; others still hear it
_LOGGERS = ("PIL", "tifffile")
MOST_ERRORS = 10  # of one file: a scrambled one has an error in each line


@contextmanager
def quiet_decoders() -> Iterator[list[str]]:
    """No warnings, no words and no limit on pixels. Gives the list of what libtiff calls errors, in this thread.

    Pillow decodes on in spite of some of them. Several threads may be inside at once; the last one restores the settings.
    """
    _enter()
    before, _libtiff.errors = _libtiff.errors, []
    try:
        yield _libtiff.errors
    finally:
        _libtiff.errors = before
        _leave()


def _enter() -> None:
    global _inside
    with _lock:
        _inside += 1
        if _inside > 1:
            return
        filters = warnings.catch_warnings()
        filters.__enter__()
        warnings.simplefilter("ignore")
        _restore[:] = filters, Image.MAX_IMAGE_PIXELS, cv2.utils.logging.getLogLevel()
        Image.MAX_IMAGE_PIXELS = None
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(_nowhere)


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if _inside:
            return
        filters, Image.MAX_IMAGE_PIXELS, level = _restore
        cv2.utils.logging.setLogLevel(level)
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(_nowhere)
        filters.__exit__(None, None, None)


class _Libtiff(threading.local):
    """Of one thread: the list that its errors go to; None while nobody here decodes."""

    errors: list[str] | None = None


_libtiff = _Libtiff()
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)  # module, format, va_list


def _listen() -> Any:
    """Takes the place of the handler of Pillow's libtiff, for good; where Pillow hides its libtiff, nothing is done."""
    try:
        pillow = ctypes.CDLL(Image.core.__file__)
        install, write = pillow.TIFFSetErrorHandler, ctypes.CDLL(None).vsnprintf
    except (AttributeError, OSError, TypeError):
        return None
    install.restype, install.argtypes = ctypes.c_void_p, [_Handler]
    write.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]

    def handle(module: bytes | None, form: bytes, values: int | None) -> None:
        if _libtiff.errors is None:
            if before:
                _Handler(before)(module, form, values)
            return
        if len(_libtiff.errors) == MOST_ERRORS:
            return
        text = ctypes.create_string_buffer(500)
        write(text, len(text), form, values)
        said = b": ".join(part for part in (module, text.value) if part)
        _libtiff.errors.append(said.decode("utf-8", "replace").rstrip("."))

    handler = _Handler(handle)
    before = install(handler)
    return handler


_handler = _listen()  # as long as the process lives
HEARS_LIBTIFF = _handler is not None
