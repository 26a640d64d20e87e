"""The way of one photograph.

colorize    prepare, network, finish: the three steps
picture     a decoded photograph, and reading it
decode      the pixels of a file, by format
deep        16 bits
heif        HEIC
camera_raw  raw files of cameras
quiet       what decoders' libraries print is caught
pixels      decoded planes
join        luma and chroma to pixels
encode      pixels to the bytes of a format
write       the output file with its metadata
"""
