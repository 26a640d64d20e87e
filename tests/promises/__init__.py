"""The promises of the README, a file each: what is promised is coloured for real, and looked at by other programs than ours.

1   originals      Originals are never changed.
2   lightness      Lightness is the source's own.
3   time           Time is the source's own.
4   passengers     What is not picture passes through. (test_fidelity.py: the same for many kinds of films, one by one)
5   failures       A failure is never a success, and silence is neither.
6   whole          Outputs are whole or absent, and a film that was interrupted goes on.
7   memory         Memory does not grow with the length of a film.
8   offline        Nothing touches the network, and no pickle is loaded.
9   distrust       What lies in a folder is not trusted.
10  provenance     Every result says how it was made; the same command again changes nothing.
11  colour         What has colour is left alone.

The chapters' own tests go further into each; here one may read whether the promise is kept.
"""
