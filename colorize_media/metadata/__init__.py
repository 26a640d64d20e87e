"""What a photograph says beside its pixels, carried over.

carried      what is carried, in one value
reading      out of a file
output       what an output gets
jpeg         where JPEG keeps it
gif          where GIF keeps it
png          where PNG keeps it
tiff         where TIFF keeps it
tiff_pages   the pages of a TIFF file
directories  the directories of TIFF files and EXIF blocks, walked
exif         EXIF blocks
iptc         IPTC records
xmp          XMP packets; as such they are provenance's
regions      face regions in them, turned
icc          colour profiles
"""
