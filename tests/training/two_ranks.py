"""What torchrun starts in `test_engine.py`: one process of a run. Usage: two_ranks.py RUN; writes RUN/rank-N.json."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch

from colorize_media.training import engine
from colorize_media.training.parallel import joined_ranks
from colorize_media.training.pictures import load_pictures
from colorize_media.training.starting import first_network
from tests.training.test_engine import scenes, tiny_recipe


def work(run: Path) -> dict[str, object]:
    """Train in this process and tell what came out: the rows of the log and a digest of every weight and buffer."""
    torch.set_num_threads(1)
    engine.LOG_EVERY = 1
    cpu = torch.device("cpu")
    run.mkdir(exist_ok=True)
    with joined_ranks(cpu) as ranks:
        recipe = tiny_recipe(steps=4, batch=8, sizes=((0.0, 64),), learning_rate=1e-4, bfloat16=False)
        # An odd number of validation pictures: nobody's share may be padded.
        store, val = load_pictures(scenes(70), 96), load_pictures(scenes(5), 64)
        classes = store.scene_classes()
        notes = {"recipe": recipe.as_dict(), "scene_classes": classes}
        network = first_network(recipe, classes, None, notes)
        rows: list[dict[str, object]] = []
        task = engine.Task(recipe, store, val, run, cpu, ranks, notes)
        engine._Run(task, network, False).work(2, False, rows.append)
        digest = hashlib.sha256()
        for name, value in network.state_dict().items():
            digest.update(name.encode() + value.numpy().tobytes())
        return {"rank": ranks.rank, "digest": digest.hexdigest(), "rows": rows}


if __name__ == "__main__":
    run = Path(sys.argv[1])
    told = work(run)
    (run / f"rank-{told['rank']}.json").write_text(json.dumps(told))
