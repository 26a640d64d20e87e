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
    "HEIC": (".heic", ".heif", ".hif"),
}
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos"}
    | {".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
# Formats that can be read, or a grey-only kind of a format that can be written.
NOT_WRITABLE = {
    **dict.fromkeys(FORMAT_SUFFIXES["HEIC"], "there is no free encoder of HEIC to rely on"),
    **dict.fromkeys(RAW_SUFFIXES, "camera raw holds what a sensor saw, no finished picture"),
    ".gif": "GIF holds only 256 colours",
    ".pgm": "PGM holds only grey",
    ".pbm": "PBM holds only black and white",
    ".j2k": "a bare JPEG 2000 stream has no place for its colour space",
    ".jpx": "only the plain .jp2 kind of JPEG 2000 can be written",
}
PHOTO_SUFFIXES = frozenset(suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes) | RAW_SUFFIXES
WRITABLE_PHOTO = PHOTO_SUFFIXES - NOT_WRITABLE.keys()
PHOTO_FALLBACK = ".png"  # of what cannot be written: lossless, with alpha and 16 bits
RAW_FALLBACK = ".tif"  # 16 bits, and every field of the camera's EXIF

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".wmv", ".flv", ".ogv"}
    | {".3gp", ".vob", ".mxf", ".dv", ".asf"}
)
WRITABLE_VIDEO = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
VIDEO_FALLBACK = ".mkv"  # holds every stream that the others hold
