"""The call from Python: `colorize_media.colorize`, for whoever has a picture in memory or the name of a file.

colorize  the function itself: what kind of picture it got, and the same kind back
checks    what an array must be to be a picture, in words
arrays    arrays and batches of them
images    Pillow's images
files     a photograph or film by its name, as the command colours it
held      the network, loaded once and kept between calls
"""
