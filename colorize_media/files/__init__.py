"""Files before and after their content: what one is, and writing it whole or not at all.

formats      file name extensions
first_bytes  what files begin with
boxes        the boxes of HEIC and AVIF
first_look   is it there, readable, a photograph or a film
whole        outputs that are whole or absent, lines that are appended whole
"""
