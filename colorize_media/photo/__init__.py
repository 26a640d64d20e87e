"""The way of one photograph.

colorize    prepare, network, finish: the three steps
pages       files of one picture or of several pages: read, and written page by page
read        one photograph out of a file's bytes
header      what a file says of its picture before it is decoded
decode      its pixels, by the first decoder of a table that can
deep        16 bits
tiff        TIFF files of uncommon layouts
ffmpeg_stills  DPX, and 16 bits of PSD and SGI
heif        HEIC
camera_raw  raw files of cameras
quiet       what decoders' libraries print is caught
picture     a decoded photograph
pixels      decoded planes
refusals    what cannot be read, in words
join        luma and chroma to pixels
encode      pixels to the bytes of a format
glance      a quick look, by which it is decided
said        what a file says in XMP, without decoding it
sidecar     the XMP file beside it, fitted to the one in colour
write       the output file with its metadata

Where a new picture format goes: its name and extensions into files/formats.py, its first bytes into files/first_bytes.py.
If Pillow opens it and loses nothing, that is all of reading; else a decoder into the table of decode.py, or, where another
library reads whole files, a reader into the table of read.py. To write it: an encoder, with what it can hold, into the
table of encode.py; if that cannot be, why not into NOT_WRITABLE of files/formats.py. tests/photo/test_formats.py has a
table of layouts, and samples that are cut and scrambled.
"""
