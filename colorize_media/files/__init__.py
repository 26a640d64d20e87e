"""Files before and after their content: what one is, and writing it whole or not at all.

formats      file name extensions
first_bytes  what files begin with
boxes        the boxes of HEIC and AVIF
no_media     archives, documents, playlists: what they are, and what to do
first_look   is it there, readable, a photograph or a film
whole        outputs that are whole or absent
own          notes of ours: appended by whole lines, read back, never through links
own_folder   folders of unfinished work, private and held by their descriptor
"""
