"""How an output was made: one record of it, said in photographs and films and remembered by the manifest, and read back.

record      the record
packet      what an XMP packet says of it
film        a film's mark
film_tags   what a film's tags say of it
film_boxes  where MP4 and MOV keep an XMP packet
signing     content credentials (C2PA) with the person's own certificate
mark        read back: coloured by this program, and when
read_back   read back: the whole record
scoped_xml  XML whose prefixes stay as they were
"""
