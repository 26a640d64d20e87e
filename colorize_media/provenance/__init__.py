"""How an output was made: one record of it, said in photographs and films and remembered by the manifest, and read back.

record      the record
packet      what an XMP packet says of it
scoped_xml  XML whose prefixes stay as they were
"""
