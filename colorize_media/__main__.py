"""The only place that exits: ``colorize-media`` and ``python -m colorize_media``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from colorize_media.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
