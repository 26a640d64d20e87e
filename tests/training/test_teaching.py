"""Learning from another network: its answers, kept and cropped, and what a student makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from colorize_media.errors import TrainingProblem
from colorize_media.models import ColorDistribution, RegressionConfig, ScenesConfig, bin_centres, build, save_weights
from colorize_media.training import engine
from colorize_media.training.engine import train
from colorize_media.training.losses import BinLoss
from colorize_media.training.mixture import Deal
from colorize_media.training.pictures import Cut, cut_batch, load_pictures
from colorize_media.training.report import read_log
from colorize_media.training.teaching import TOP, Answers, Teacher
from tests.made.networks import lively
from tests.training.test_engine import scenes, tiny_recipe

CPU = torch.device("cpu")
SMALL = ScenesConfig(encoder="efficientnet-lite0", decoder=(32, 32, 32), residual_bound=0.0)


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("teacher") / "weights.safetensors"
    save_weights(file, lively(SMALL, seed=4), {})
    return file


def test_an_answer_is_the_likeliest_bins_of_both_looks(teacher_file: Path) -> None:
    teacher = Teacher(teacher_file, CPU, softness=2.0)
    lightness = 100 * torch.rand(2, 1, 64, 96)
    bins, shares = teacher.answer(lightness)
    assert bins.shape == shares.shape == (2, TOP, 16, 24)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 16, 24))
    assert (shares[:, :-1] >= shares[:, 1:]).all()
    with torch.no_grad():
        looks = [teacher.network(lightness).logits, teacher.network(lightness.flip(-1)).logits.flip(-1)]
    logits = (looks[0] + looks[1]) / 2
    assert torch.equal(bins[:, 0], logits.argmax(dim=1))
    ratio = (shares[:, 1] / shares[:, 0]).log()
    first, second = (logits.gather(1, bins[:, place, None])[:, 0] for place in (0, 1))
    torch.testing.assert_close(ratio, (second - first) / 2.0, atol=1e-3, rtol=1e-3)
    mirrored = teacher.answer(lightness.flip(-1))
    torch.testing.assert_close(mirrored.shares.flip(-1), shares, atol=1e-3, rtol=1e-3)


def test_answers_are_kept_and_follow_their_picture(teacher_file: Path, tmp_path: Path) -> None:
    store = load_pictures(scenes(3, size=128), 128)
    teacher = Teacher(teacher_file, CPU)
    answers = Answers(tmp_path, teacher, store)
    bins, shares = answers.of(1)
    assert bins.shape == (TOP, 32, 32)
    assert len(answers) == 1
    whole = answers.of_cuts([1], [Cut(0.0, 0.0, 1.0, 1.0, False)], 32)
    assert np.array_equal(whole.bins[0], bins)
    turned = answers.of_cuts([1], [Cut(0.0, 0.0, 1.0, 1.0, True)], 32)
    assert torch.equal(turned.bins, whole.bins.flip(-1))
    corner = answers.of_cuts([1], [Cut(0.5, 0.25, 0.5, 0.25, False)], 16)
    assert torch.equal(corner.bins[:, :, :, ::2], whole.bins[:, :, 16:, 8:16])
    # Kept: a teacher that would answer otherwise is not asked again.
    teacher.network.bin_head.bias.data.normal_(std=30.0)
    again = Answers(tmp_path, teacher, store)
    assert np.array_equal(again.of(1)[0], bins)
    assert np.array_equal(again.of(1)[1], shares)
    assert len(again) == 1


def test_answers_of_another_teacher_and_torn_lines_count_for_nothing(teacher_file: Path, tmp_path: Path) -> None:
    store = load_pictures(scenes(2), 96)
    teacher = Teacher(teacher_file, CPU)
    first = Answers(tmp_path, teacher, store)
    bins = [first.of(index)[0] for index in (0, 1)]
    index = tmp_path / "answers.jsonl"
    index.write_bytes(index.read_bytes()[:-9])
    torn = Answers(tmp_path, teacher, store)
    assert len(torn) == 1
    assert all(np.array_equal(torn.of(number)[0], bins[number]) for number in (0, 1))
    assert len(Answers(tmp_path, teacher, store)) == 2
    assert len(Answers(tmp_path, Teacher(teacher_file, CPU, softness=3.0), store)) == 0


def test_cuts_say_where_a_crop_lies(teacher_file: Path) -> None:
    """The picture's own pixels there, enlarged and mirrored, are the crop."""
    store = load_pictures(scenes(8), 96)
    batch = cut_batch(store, Deal(store.names, 1), 0, 8, 64, 0.3)
    for rgb, index, cut in zip(batch.rgb.numpy(), batch.indices, batch.cuts, strict=True):
        picture = store.pixels(index)
        top, left, height, width = (round(value * 96) for value in cut[:4])
        part = picture[top : top + height, left : left + width].astype(float)
        part = part[:, ::-1] if cut.mirrored else part
        halves = [np.split(part[: height // 2 * 2], 2), np.split(rgb.astype(float), 2)]
        for ours, theirs in zip(*halves, strict=True):
            assert np.allclose(ours.mean(axis=(0, 1)), theirs.mean(axis=(0, 1)), atol=6)


def test_the_teacher_s_part_is_the_cross_entropy_with_its_answer() -> None:
    torch.manual_seed(1)
    output = ColorDistribution(torch.randn(2, 262, 4, 4), torch.zeros(2, 2, 4, 4))
    ab, scene = 40 * torch.randn(2, 2, 4, 4), torch.full((2,), -1)
    bins = torch.randint(0, 262, (2, TOP, 4, 4))
    shares = torch.rand(2, TOP, 4, 4).softmax(dim=1)
    settings = {"mean_weight": 0.0, "scene_weight": 0.0}
    alone = BinLoss(torch.ones(262), **settings)(output, ab, scene)
    parts = BinLoss(torch.ones(262), **settings, teacher_weight=0.7, softness=2.0)(output, ab, scene, (bins, shares))
    dense = torch.zeros(2, 262, 4, 4).scatter_add_(1, bins, shares)
    expected = -4.0 * (dense * (output.logits / 2.0).log_softmax(dim=1)).sum(dim=1).mean()  # type: ignore[operator]
    torch.testing.assert_close(parts["teacher"], expected)
    torch.testing.assert_close(parts["total"], 0.3 * alone["bins"] + 0.7 * expected)
    assert torch.equal(parts["bins"], alone["bins"])


def test_a_student_comes_nearer_to_its_teacher(
    teacher_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the teacher alone, who knows nothing of the pictures; a resumed run has the same teacher."""
    store, val = load_pictures(scenes(8, size=64), 64), load_pictures(scenes(1), 64)
    recipe = tiny_recipe(
        encoder="efficientnet-lite0", decoder=(32, 32, 32), residual_bound=0.0, scene_weight=0.0, steps=6, batch=8,
        sizes=((0.0, 64),), teacher=str(teacher_file), teacher_weight=1.0, learning_rate=5e-3, ema=0.0,
    )  # fmt: skip
    monkeypatch.setattr(engine, "LOG_EVERY", 2)
    train(recipe, store, val, tmp_path, device=CPU, evaluate_every=0)
    train(recipe, store, val, tmp_path, device=CPU, evaluate_every=0, resume=True, steps=20)
    losses = [row["loss"]["teacher"] for row in read_log(tmp_path / "log.jsonl") if row["kind"] == "train"]
    assert losses[-1] < losses[0] - 0.2
    assert (tmp_path / "teacher.safetensors").read_bytes() == teacher_file.read_bytes()
    assert len((tmp_path / "answers" / "answers.jsonl").read_text().splitlines()) == 8


def test_a_network_of_one_colour_is_no_teacher(tmp_path: Path) -> None:
    save_weights(tmp_path / "one.safetensors", build(RegressionConfig()), {})
    with pytest.raises(TrainingProblem, match="cannot learn from"):
        Teacher(tmp_path / "one.safetensors", CPU)


def test_bins_fit_the_file() -> None:
    assert len(bin_centres()) < 2**16
