"""Many files in one run: found, planned, coloured side by side, remembered.

discovery        which files a folder holds
naming           which output an input gets
collisions       outputs that would replace an input or each other, refused
own_outputs      outputs of this program among the inputs, known by what they say
sidecars         which files go along with a picture or film, by their names
sidecar_plan     what is to be done with them
sidecar_copies   copied beside the outputs
memory           what to do with a file, by what earlier runs remember
orphans          outputs whose source is gone
plan             from what the user named to a list of jobs
manifest         what an output folder remembers of earlier runs
single_files     outputs that lie in no output folder: what they say, or the user's own memory
old_lines        what lines of earlier versions' manifests leave to be read from a sentence
running          how a run goes: network, options, who is told, threads
run              does a plan
photo_queue      photographs through decoding, network and encoding in parallel
photo_steps      what is done to one of them, in whichever thread
workers          the threads
budget           the memory that a photograph takes, and all on their way
sequences        which numbered frames are a film
sequence         one coloured as a film, written back as frames
sequence_hint   whether photographs look like a film's frames
sequence_reader  its frames, of photographs
sequence_writer  its frames, to photographs; what a killed run goes on from
in_flight        which files crashed a run, so that the next one tries them apart
trial            one file in a process of its own
outcomes         what came of each file
output_folders   made when needed, dressed at the end like the folders they mirror
how_made         how an output was made, asked afterwards
forecast         what a run would do, file by file, and the totals
inspection       what would be coloured, and why
"""
