"""File name extensions: what is taken for a picture or a film, and what can be written. Content decides when it is read."""

from __future__ import annotations

# Pictures by the name that Pillow gives the format.
FORMAT_SUFFIXES: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
_NOT_DECODED = frozenset({".heic", ".heif"})  # taken for pictures, so that a folder's are told and counted
# Formats that can be read, or a grey-only kind of a format that can be written.
NOT_WRITABLE = {
    ".gif": "GIF holds only 256 colours",
    ".pgm": "PGM holds only grey",
    ".pbm": "PBM holds only black and white",
    ".j2k": "a bare JPEG 2000 stream has no place for its colour space",
    ".jpx": "only the plain .jp2 kind of JPEG 2000 can be written",
}
PHOTO_SUFFIXES = frozenset(suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes) | _NOT_DECODED
WRITABLE_PHOTO = PHOTO_SUFFIXES - _NOT_DECODED - NOT_WRITABLE.keys()
PHOTO_FALLBACK = ".png"  # of what cannot be written: lossless, with alpha and 16 bits

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".ogv"}
    | {".3gp", ".vob", ".mxf", ".dv", ".asf"}
)
WRITABLE_VIDEO = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
VIDEO_FALLBACK = ".mkv"  # holds every stream that the others hold
