"""Files that are neither a picture nor a film but hold some, or name some: what they are, and what to do with them.

FFmpeg finds a film in nearly anything: an MPEG stream stored in an archive, the sound in a document. So these are told by their
first bytes, before anything tries.
"""

from __future__ import annotations

import re
from typing import NamedTuple

HEAD_BYTES = 34_816  # a disc's description stands at 32 KiB


class NoMedia(NamedTuple):
    """What a file is, as a phrase with its article, and what to do to have its pictures coloured."""

    what: str
    hint: str


_UNPACK = "unpack it and give the folder"
_PLAYLIST = NoMedia("a list of other files or addresses", "give the films themselves")
_OFFICE = NoMedia("an office document", "save its pictures as files, and give those")
# The first that fits, from the file's beginning on.
_KINDS = (
    (rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|docProps/|word/|ppt/|xl/)", _OFFICE),
    (rb"PK\x03\x04.{26}mimetypeapplication/(?:vnd\.oasis|epub)", _OFFICE),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    (rb"PK(?:\x03\x04|\x05\x06)", NoMedia("a ZIP archive", _UNPACK)),
    (rb"Rar!\x1a\x07", NoMedia("a RAR archive", _UNPACK)),
    (rb"7z\xbc\xaf\x27\x1c", NoMedia("a 7-Zip archive", _UNPACK)),
    (rb".{257}ustar", NoMedia("a TAR archive", _UNPACK)),
    (rb"\x1f\x8b\x08|BZh[1-9]1AY&SY|\xfd7zXZ\0|\x28\xb5\x2f\xfd", NoMedia("a compressed file", _UNPACK)),
    (rb".{0,1019}?%PDF-", NoMedia("a PDF document", "export its pages or pictures as files, and give those")),
    (rb".{32769}CD001", NoMedia("the image of a disc", "open it, and give the files in it")),
    (rb"(?:\xef\xbb\xbf)?\s*(?:ffconcat version|#EXTM3U|\[playlist\]|<\?wpl|<smil|v=0\r?\no=)", _PLAYLIST),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml.{0,2000}?<(?:MPD|smil|playlist|asx)\b", _PLAYLIST),
)
_COMPILED = tuple((re.compile(pattern, re.DOTALL), kind) for pattern, kind in _KINDS)


def no_media(head: bytes) -> NoMedia | None:
    """What the first ``HEAD_BYTES`` of a file say that it is; None where they say nothing of the kind."""
    return next((kind for pattern, kind in _COMPILED if pattern.match(head)), None)
