"""``torchrun --nproc-per-node N -m colorize_media.training DATA -o RUN``: the train command in each of torchrun's processes."""

from __future__ import annotations

import sys

from colorize_media.cli import run

if __name__ == "__main__":
    sys.exit(run(["train", *sys.argv[1:]]))
