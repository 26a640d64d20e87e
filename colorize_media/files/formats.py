"""File name extensions: what is taken for a picture or a film, and what can be written. Content decides when it is read."""

from __future__ import annotations

# Pictures by the name that Pillow gives the format.
FORMAT_SUFFIXES: dict[str, tuple[str, ...]] = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".jps", ".mpo"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "JPEG2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "HEIC": (".heic", ".heif", ".hif"),
    "TGA": (".tga", ".icb", ".vda", ".vst"),
    "PCX": (".pcx",),
    "SGI": (".sgi", ".rgb", ".rgba", ".bw"),
    "PSD": (".psd",),
    "ICO": (".ico",),
    "SUN": (".ras", ".sun"),
    "DPX": (".dpx",),
}
# Pictures that no library here reads rightly, by what they are called. They are stills all the same, never films.
UNREADABLE_SUFFIXES: dict[str, tuple[str, ...]] = {
    "JPEG XL": (".jxl",),
    "JPEG XR": (".jxr", ".wdp", ".hdp"),
    "JPEG-LS": (".jls",),
    "JPEG XS": (".jxs",),
    "OpenEXR": (".exr", ".sxr"),
    "Radiance HDR": (".hdr", ".rgbe"),
    "floating-point PFM": (".pfm",),
    "Photoshop PSB": (".psb",),
    "GIMP's XCF": (".xcf",),
    "Cineon": (".cin",),
    "Kodak Photo CD": (".pcd",),
    "Macintosh PICT": (".pct", ".pict"),
    "Amiga IFF": (".iff", ".lbm", ".ilbm"),
    "BPG": (".bpg",),
    "FLIF": (".flif",),
    "QOI": (".qoi",),
    "PAM": (".pam",),
    "raw fax": (".fax", ".g3", ".g4"),
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
    **dict.fromkeys((".j2k", ".j2c", ".jpc"), "a bare JPEG 2000 stream has no place for its colour space"),
    **dict.fromkeys((".jpx", ".jpf"), "only the plain .jp2 kind of JPEG 2000 can be written"),
    ".mpo": "MPO holds several pictures, and one is coloured",
    **{
        suffix: f"{name} has no place for what a picture says of itself"
        for name in ("TGA", "PCX", "SGI", "ICO", "SUN")
        for suffix in FORMAT_SUFFIXES[name]
    },
    ".psd": "PSD holds layers, and what they show together is coloured",
    ".dpx": "DPX has no place for what a picture says of itself",
    **{suffix: f"{name} files are not written" for name, all_ in UNREADABLE_SUFFIXES.items() for suffix in all_},
}
PHOTO_SUFFIXES = frozenset(NOT_WRITABLE) | {suffix for suffixes in FORMAT_SUFFIXES.values() for suffix in suffixes}
WRITABLE_PHOTO = PHOTO_SUFFIXES - NOT_WRITABLE.keys()
PHOTO_FALLBACK = ".png"  # of what cannot be written: lossless, with alpha and 16 bits
FALLBACKS = {".mpo": ".jpg", ".dpx": ".tif"}  # of some, one that is more like them
RAW_FALLBACK = ".tif"  # 16 bits, and every field of the camera's EXIF

# Films, by their usual programs and cameras; whatever else is one is known by its first bytes.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".mkv", ".mk3d", ".webm", ".avi", ".divx", ".xvid", ".ogv", ".ogm", ".flv", ".f4v"}
    | {".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".mpv", ".mp2v", ".m2p", ".vob", ".evo", ".vro", ".mod"}  # MPEG, DVD
    | {".ts", ".m2t", ".m2ts", ".mts", ".tod", ".trp", ".tp", ".mpegts"}  # transport streams of cameras and television
    | {".wmv", ".asf", ".dvr-ms", ".wtv", ".rm", ".rmvb", ".3gp", ".3g2", ".3gpp", ".amv", ".nsv"}
    | {".mxf", ".gxf", ".dv", ".dif", ".lxf", ".nut", ".y4m", ".ivf", ".mjpg", ".mjpeg"}
    | {".h261", ".h263", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".vc1", ".obu", ".bik", ".smk"}
)
# Extensions that programs give to texts, too.
TEXT_SUFFIXES = frozenset({".ts", ".mts", ".mod", ".tp", ".dif", ".rm"})
# What is no picture or film by its name alone: the first bytes of sound, of subtitles and of what is not whole yet are those
# of films, and to look at the first bytes of a million documents takes long on a network's disk.
OTHER_SUFFIXES = frozenset(
    {".m4a", ".m4b", ".m4p", ".m4r", ".mka", ".mks", ".weba", ".wma", ".oga", ".ogg", ".opus", ".spx", ".aax", ".f4a"}
    | {".mp3", ".flac", ".wav", ".aif", ".aiff", ".aac", ".ac3", ".mid"}
    | {".thm", ".lrv", ".lrf", ".sub", ".idx", ".ifo", ".bup"}  # a film's small copies, its subtitles and its menu
    | {".part", ".partial", ".crdownload", ".download", ".tmp", ".temp", ".!qb", ".!ut"}  # not whole yet
    | {".bak", ".old", ".orig", ".backup", ".jpg_original"}  # of a file that is there itself
    | {".xmp", ".aae", ".json", ".srt", ".ass", ".ssa", ".vtt", ".nfo", ".pp3", ".dop", ".txt", ".md", ".xml", ".html"}
    | {
        ".htm",
        ".css",
        ".js",
        ".py",
        ".c",
        ".h",
        ".pdf",
        ".doc",
        ".docx",
        ".xls",
        ".xlsx",
        ".ppt",
        ".pptx",
        ".odt",
        ".ods",
    }
    | {".rtf", ".csv", ".log", ".ini", ".db", ".zip", ".rar", ".7z", ".gz", ".tar", ".exe", ".dll", ".lnk", ".url"}
)
WRITABLE_VIDEO = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
VIDEO_FALLBACK = ".mkv"  # holds every stream that the others hold
PURPOSE_SUFFIXES = {
    "--for archive": (".mkv",),
    "--for editing": (".mov",),
    "--for sharing": (".mp4", ".m4v"),
    "--chroma-only": (".mkv",),
}
"""Of films made for something, the usual one first: by how it is asked for."""
