"""What the tests colour: small media made in memory, so that each test says what it looks at.

pictures  planes, textures, grey photographs; bytes of the formats that no library here can write
photos    pictures in colour, turned and with EXIF; chroma for a photograph that was read
clips     frames of a camera that pans
films     films written and read back by PyAV alone
tars      tar archives
networks  networks that have learned nothing, in which every layer matters
"""
