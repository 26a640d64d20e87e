"""The way of one film.

colorize     colorize_video, and what a film's colours depend on
pipeline     the one frame loop
color_stage  its middle: own colours, network and smoothing as one stage
opening      the film opened as the options ask for it, and whether it has colour
samples      small pictures spread over a film
tint         the light of a film's shots, if it is to stay
reader       frames with their exact time
clip         which frames, packets and chapters of a film are wanted
geometry     size, planes, what the codes mean, how the picture lies
fields       interlaced pictures and their two fields
changes      what changes within a film, fitted to its beginning
times        of frames and packets, repaired
dv           when a DV camera recorded it
matroska     what FFmpeg does not hand on
demuxing     the file opened, its picture stream, its packets
beside       the other streams, described
late         streams that first appear late in it
refusals     what is wrong with a film, in plain words
own_color    shots that are in colour already
writer       the coloured film, with all other streams
purposes     what a film is made for, and what that means
encoder      the picture's encoder
encoder_choice  which one
encoder_trial  whether it takes what it is told
streams      every other stream, and how it gets into the film
trial        whether it gets there that way
copying      as it is
sound        decoded, and encoded without loss unless asked for
texts        subtitles in another form
tags         which of them are carried over
ffmpeg_words  why FFmpeg refuses something
container    the file that is written
segments     finished pieces that outlast a killed run
room          whether the disk has room for the film
work_folder  where they lie
preview      a strip of frames before and after
comparison   all ways of smoothing side by side, for measuring
"""
