"""The command line: words and options in, jobs, text and exit codes out.

main        all commands
console     events as a progress bar, plain lines, JSON lines
progress    how far a run is, and the time left
host_batch  pictures as JSON lines, for host programs
doctor      checks the installation
"""
