"""The way of one photograph.

colorize    prepare, network, finish: the three steps
pages       files of one picture or of several pages: read, and written page by page
read        one photograph out of a file's bytes
header      what a file says of its picture before it is decoded
decode      its pixels, by the first decoder of a table that can
deep        16 bits
heif        HEIC
camera_raw  raw files of cameras
quiet       what decoders' libraries print is caught
picture     a decoded photograph
pixels      decoded planes
refusals    what cannot be read, in words
join        luma and chroma to pixels
encode      pixels to the bytes of a format
write       the output file with its metadata
"""
