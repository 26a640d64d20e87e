"""The command under fire: files cut, flipped and spliced, and runs killed. A program of its own: ``python -m tests.fuzz``.

seeds      what is mutated: a small file of every format that the tests can make, and of the shared media those that are small
mutations  cutting, flipping, splicing
children   a process of its own for everything that may crash, hang or take too much memory
trials     one input: made, given to the command, judged
verdicts   what of a run's outcome is no fault, and what is one
kills      an archive whose run is killed again and again, and must become what it would have been
__main__   the command line, the counts, what is kept of a finding

    python -m tests.fuzz --inputs 10000 --kills 100     some hours on one core; counts as it goes
    python -m tests.fuzz --seed 7 --only 1234           one input again, with all that the command says of it

Input n of a seed is always the same file under the same options, so a finding is known by two numbers; the file itself lies in
the folder of findings with the command and what was wrong. A finding becomes a test of the chapter that is to blame, with a
file written by hand.
"""
