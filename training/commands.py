"""What ``colorize-media train`` and ``colorize-media evaluate`` do, without any parsing or printing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from colorize_media.errors import BadOption, OutputUnwritable, TrainingProblem
from colorize_media.models import SHIPPED, Network, find_weights, load_weights
from colorize_media.training.chain import is_chain, recipes_of, run_chain
from colorize_media.training.engine import train
from colorize_media.training.equal_color import EqualColor
from colorize_media.training.evaluation import GREY, SIZE, Decoding, Output, evaluate, outputs_of, predict_ab, squares
from colorize_media.training.evaluation_page import COLUMNS
from colorize_media.training.evaluation_report import Evaluated, check_report, write_report
from colorize_media.training.inputs import Input, find_inputs, read_inputs
from colorize_media.training.parallel import joined_ranks
from colorize_media.training.perceptual import FrechetInceptionDistance, Lpips, PerceptualMetric
from colorize_media.training.pictures import PictureStore, load_pictures, why_unusable
from colorize_media.training.recipe import load_recipe
from colorize_media.training.recognition import Recognition, load_recogniser
from colorize_media.training.report import contact_sheet
from colorize_media.training.sources import Picture, find_sources, read_pictures
from colorize_media.training.starting import IMAGENET

VAL_SHARE = 40  # one picture in so many is held back when there are no validation pictures of their own
SHEET_PICTURES = 24


def train_command(
    data: Sequence[Input],
    run: Path,
    device: torch.device,
    on_row: Callable[[dict[str, Any]], None],
    *,
    recipe: str,
    val: Path | None,
    steps: int | None,
    batch: int | None,
    limit: int,
    val_limit: int,
    evaluate_every: int | None,
    resume: bool,
    init: str | None,
    tensorboard: bool,
    memory: float | None,
    teacher: str | None,
) -> Path:
    """Load pictures, train, return the weights file. Under torchrun, in each of its processes.

    ``init`` names weights to start from, ``"none"`` fresh ones, ``"imagenet"`` the encoder's, None what the recipe says.
    ``teacher`` names weights to learn from beside the truth, None whom the recipe says. ``memory`` is for decoded pictures,
    in GiB, None half of the machine's. ``on_row`` first hears how many pictures there are and how many files were left out
    for which reason, then every row of the log.

    A recipe may be a chain of several (`chain`). Raises BadOption, TrainingProblem, UnknownModel.
    """
    chain = is_chain(recipe)
    if chain and (steps or batch or init or teacher or resume):
        raise BadOption(
            "a chain has its own steps, batches, starts and teachers, and goes on by itself",
            path=Path(recipe),
            hint="change them in a copy of the file",
        )
    recipes = recipes_of(recipe, device) if chain else [load_recipe(recipe, steps=steps, batch=batch, teacher=teacher)]
    chosen = recipes[0]
    begin = {None: chosen.init, "none": ""}.get(init, init)
    sources = find_inputs(data)
    held_back = (
        find_inputs(data, "val") if val is None else find_inputs([Input(val)], "val") or find_inputs([Input(val)])
    )
    room = None if memory is None else round(memory * 2**30)
    # Crops show a part of the picture, so a little more than the largest size keeps detail without wasting memory.
    side = round(1.25 * max(one.largest_size for one in recipes))
    skipped: Counter[str] = Counter()

    def read(files: list[tuple[Path, float]]) -> Iterator[Picture]:
        return read_inputs(files, lambda name, reason: skipped.update([reason]))

    if held_back:
        store = load_pictures(read(sources), side, limit=limit, memory=room)
        val_store = load_pictures(read(held_back), SIZE, limit=val_limit)
    else:
        is_held_back, val_store = _hold_back(lambda: read(sources), val_limit)
        skipped.clear()  # the same files are read once more
        store = load_pictures(
            (item for item in read(sources) if not is_held_back(item)), side, limit=limit, memory=room
        )
    dropped = skipped + store.dropped + val_store.dropped
    with joined_ranks(device) as ranks:
        if ranks.first:
            on_row({"kind": "data", "pictures": len(store), "val_pictures": len(val_store), "dropped": dict(dropped)})
        if chain:
            return run_chain(recipe, store, val_store, run, device=device, ranks=ranks, on_row=on_row)
        return train(
            chosen,
            store,
            val_store,
            run,
            device=device,
            resume=resume,
            steps=steps,
            init=begin if begin == IMAGENET else find_weights(begin) if begin and not resume else None,
            evaluate_every=max(1, chosen.steps // 10) if evaluate_every is None else evaluate_every,
            tensorboard=tensorboard,
            ranks=ranks,
            on_row=on_row,
        )


def _hold_back(read: Callable[[], Iterator[Picture]], limit: int) -> tuple[Callable[[Picture], bool], PictureStore]:
    """Which pictures validate, and these: a fixed 1 in 40 by the content's hash; of few, the one with the smallest at least.

    They are the same pictures whatever their order, and copies stay on one side. Raises TrainingProblem for less than two.
    """

    def mark(picture: Picture) -> int:
        return int.from_bytes(hashlib.sha256(picture.data).digest()[:4], "big")

    def by_chance(picture: Picture) -> bool:
        return mark(picture) % VAL_SHARE == 0

    def smallest(picture: Picture) -> bool:
        return mark(picture) == usable[0]

    try:
        return by_chance, load_pictures(filter(by_chance, read()), SIZE, limit=limit)
    except TrainingProblem:  # chance took none of few, or only damaged ones
        usable = sorted({mark(picture) for picture in read() if not why_unusable(picture.data)})
        if len(usable) < 2:
            raise
        return smallest, load_pictures(filter(smallest, read()), SIZE, limit=limit)


def evaluate_command(
    data: Path,
    device: torch.device,
    on_progress: Callable[[int, int], None] = lambda done, count: None,
    *,
    models: tuple[str, ...],
    limit: int,
    size: int,
    working_size: int,
    vividness: tuple[float, ...],
    equal: tuple[float, ...] = (),
    sheet: Path | None,
    report: Path | None,
    fid_weights: Path | None,
    lpips_weights: Path | None,
    recognition: bool = False,
) -> list[dict[str, Any]]:
    """Rows of the table: grey, then for each model its plain mean (T = 1) and its default output at each vividness.

    ``equal`` adds its plain mean at each share of the truth's colourfulness (`equal_color`): what networks are compared by. The
    shipped `regression` is always among the models. ``report`` is a folder to write, see `evaluation_report`.
    ``on_progress`` hears how many pictures of how many are done.

    Raises UnknownModel, WeightsDamaged, BadOption, LibraryMissing, OutputExists, OutputUnwritable, TrainingProblem.
    """
    if report is not None:
        check_report(report)
    files = _weights_to_compare(models)
    networks = {name: load_weights(file)[0].to(device) for name, file in files.items()}
    perceptual: list[PerceptualMetric] = []
    if fid_weights is not None:
        perceptual.append(FrechetInceptionDistance(fid_weights, device))
    if lpips_weights is not None:
        perceptual.append(Lpips(lpips_weights, device))
    if recognition:
        perceptual.append(Recognition(load_recogniser(), device))
    sources = find_sources(data, "val") or find_sources(data)
    store = load_pictures(read_pictures(sources), size, limit=limit)
    outputs = [GREY]
    for name, network in networks.items():
        outputs += outputs_of(name, network, vividness)
        if equal:
            same = EqualColor(network, store, size=size, working_size=working_size, device=device)
            gains = [(share, same.at_share(share)[0]) for share in equal]
            outputs += [Output(name, f"mean at {share:g} of the colour", Decoding(gain=gain)) for share, gain in gains]
    scores = evaluate(
        networks,
        outputs,
        store,
        size=size,
        working_size=working_size,
        device=device,
        perceptual=perceptual,
        on_pictures=lambda done: on_progress(done, len(store)),
    )
    if sheet is not None:
        _write_sheet(sheet, networks, store, size, working_size, device)
    if report is not None:
        write_report(report, Evaluated(data, store, networks, files, scores, size, working_size, device))
    return [score.row() for score in scores]


def format_table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    columns = [column for column in COLUMNS if column.key in rows[0]]
    lines = ["| model | output | vividness | " + " | ".join(column.heading for column in columns) + " |"]
    lines.append("|---|---|---|" + "---|" * len(columns))
    for row in rows:
        vividness = "–" if row["vividness"] is None else f"{row['vividness']:g}"
        numbers = " | ".join(column.form.format(row[column.key]) for column in columns)
        lines.append(f"| {row['model']} | {row['output']} | {vividness} | {numbers} |")
    return "\n".join(lines)


def _weights_to_compare(models: tuple[str, ...]) -> dict[str, Path]:
    """Weights by the name that tables show: the shipped `regression`, then those asked for, or all that are shipped."""
    shipped = sorted(file.stem for file in SHIPPED.glob("*.safetensors"))
    files = {name: find_weights(name) for name in models or sorted(shipped, key=lambda name: name == "scenes")}
    if not files:
        raise TrainingProblem(
            "nothing to evaluate", why="no weights are shipped with this installation", hint="--model FILE"
        )
    baseline = SHIPPED / "regression.safetensors"
    if baseline.is_file() and not any(file.samefile(baseline) for file in files.values()):
        files = {"regression": baseline, **files}
    return files


def _write_sheet(
    path: Path, networks: dict[str, Network], store: PictureStore, size: int, working_size: int, device: torch.device
) -> None:
    lab = next(squares(store, size, min(SHEET_PICTURES, len(store))))
    predictions = []
    for network in networks.values():
        predictions += predict_ab(network, lab[:, :1], [Decoding.of_command(network)], working_size, device)
    try:
        contact_sheet(lab, predictions, path, columns=3)
    except OSError as error:
        raise OutputUnwritable(
            "cannot write the sheet", path=path, why=error.strerror or str(error), hint="give another file with --sheet"
        ) from error
