"""The way of one film.

pipeline     colorize_video and the one frame loop
reader       frames with their exact time
clip         a part of a film
own_color    shots that are in colour already
writer       the coloured film, with all other streams
encoder      the picture's encoder
container    the file that is written
segments     finished pieces that outlast a killed run
work_folder  where they lie
preview      a strip of frames before and after
comparison   all ways of smoothing side by side, for measuring
"""
