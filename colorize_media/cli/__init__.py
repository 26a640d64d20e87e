"""The command line: words and options in, jobs, text and exit codes out.

main        words to commands, errors to exit codes; how to add a command
group       the group that commands belong to
parameters  kinds of values and options that several commands take; how to add an option
config      the config file
running     threads, network, events, signals, exit codes
colorize    INPUT..., the default command
inspect     what would be coloured, and why
redo        the command that made an output
immich      an Immich library
train       prepare, train, evaluate
tools       models, export, doctor
plugin      buttons in host programs
terminal    the one door through which text leaves
console     events as a progress bar, plain lines, JSON lines
progress    how far a run is, and the time left
host_batch  pictures as JSON lines, for host programs
doctor      checks the installation
"""
