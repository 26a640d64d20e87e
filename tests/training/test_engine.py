"""Training: pictures, pairs, losses, metrics, and a run that survives being killed. All on pictures made in memory."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from skimage import color as reference
from skimage import data

from colorize_media.color.spaces import lightness_of_luma, luma_of_rgb, rgb_to_lab
from colorize_media.errors import BadOption, EnvironmentProblem, TrainingProblem
from colorize_media.models import ColorDistribution, RegressionConfig, bin_centres, build, load_weights, save_weights
from colorize_media.models.scenes import ScenesConfig
from colorize_media.training import engine, parallel
from colorize_media.training.augment import Draws, FilmLook, film_look, make_pair
from colorize_media.training.chain import is_chain
from colorize_media.training.diary import score
from colorize_media.training.engine import train
from colorize_media.training.evaluation import Decoding, evaluate_grey, evaluate_network
from colorize_media.training.fastest import Way
from colorize_media.training.losses import (
    BinLoss,
    SoftEncoding,
    SquaredError,
    measure_prior,
    rebalancing_weights,
    smooth_prior,
)
from colorize_media.training.metrics import ColorMetrics, _nearest_bin, reference_prior
from colorize_media.training.mixture import Deal
from colorize_media.training.old_film import Material
from colorize_media.training.parallel import Ranks
from colorize_media.training.pictures import PictureStore, cut_batch, decode, load_pictures
from colorize_media.training.recipe import RECIPES, Recipe, load_recipe, recipe_from_dict
from colorize_media.training.report import plot_curves, read_log
from colorize_media.training.schedule import learning_rate
from colorize_media.training.sources import Picture, find_sources, read_pictures
from tests.made.pictures import pillow
from tests.made.tars import write_tar

CLEAN = FilmLook(0, 0, 0, 0, 0, 0)


def scenes(count: int = 12, size: int = 96) -> list[Picture]:
    """Blue above, green below, with a red disc that wanders: something to learn in a few steps."""
    rows, columns = np.mgrid[0:size, 0:size]
    made = []
    for number in range(count):
        random = np.random.default_rng(number)
        sky = rows < random.integers(size // 4, 3 * size // 4)
        rgb = np.where(sky[..., None], (90, 150, 240), (60, 140, 40)) + random.normal(0, 8, (size, size, 1))
        disc = (rows - random.integers(size)) ** 2 + (columns - random.integers(size)) ** 2 < (size // 6) ** 2
        rgb[disc] = (210, 50, 40)
        made.append(
            Picture(f"{number}.png", "day" if number % 2 else "night", pillow("PNG", rgb.clip(0, 255).astype(np.uint8)))
        )
    return made


def tiny_recipe(**changes: object) -> Recipe:
    values = {"steps": 6, "batch": 4, "sizes": ((0.0, 32), (0.5, 64)), "look": FilmLook(), "warm_up": 0.2}
    return Recipe(**(values | changes))  # type: ignore[arg-type]


# --- where pictures come from


def test_a_folder_gives_pictures_and_their_class_folders(tmp_path: Path) -> None:
    for name in ("beach/1.png", "beach/deep/2.png", "street/3.jpg", "top.png", "beach/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = [(picture.name, picture.label) for picture in read_pictures(find_sources(tmp_path))]
    assert found == [
        ("beach/1.png", "beach"),
        ("beach/deep/2.png", "beach"),
        ("street/3.jpg", "street"),
        ("top.png", ""),
    ]


def deal(store: PictureStore, seed: int = 1) -> Deal:
    return Deal(store.names, seed)


def test_places205_tarball_layout(tmp_path: Path) -> None:
    file = tmp_path / "testSetPlaces205_resize.tar.gz"
    write_tar(file, {"testSet_resize/a.jpg": b"1", "testSet_resize/b.jpg": b"2", "readme.txt": b"3"}, "w:gz")
    assert [(p.name, p.data) for p in read_pictures(find_sources(file))] == [
        ("testSet_resize/a.jpg", b"1"),
        ("testSet_resize/b.jpg", b"2"),
    ]


def test_shards_with_an_index_and_val_kept_apart(tmp_path: Path) -> None:
    write_tar(tmp_path / "train-00.tar", {"a.webp": b"1", "b.webp": b"2", "c.webp": b"3"})
    write_tar(tmp_path / "val.tar", {"v.webp": b"4"})
    (tmp_path / "train.csv").write_text(
        "shard,name,category,label\nx,a.webp,scene,ocean\nx,b.webp,people,\nx,c.webp,scene,\n"
    )
    assert [(p.name, p.label) for p in read_pictures(find_sources(tmp_path))] == [
        ("a.webp", "ocean"),
        ("b.webp", "people"),
        ("c.webp", ""),
    ]
    assert [p.name for p in read_pictures(find_sources(tmp_path, "val"))] == ["v.webp"]


def test_hostile_tar_members_touch_nothing(tmp_path: Path) -> None:
    file = tmp_path / "in" / "train.tar"
    file.parent.mkdir()
    with tarfile.open(file, "w") as archive:
        for name, kind, link in (("../../evil.png", tarfile.REGTYPE, ""), ("l.png", tarfile.SYMTYPE, "/etc/passwd"),
                                 ("h.png", tarfile.LNKTYPE, "../../evil.png"), ("d.png", tarfile.CHRTYPE, "")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    assert [(p.name, p.data) for p in read_pictures([file])] == [("../../evil.png", b"abc")]  # its bytes, in memory
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "train.tar"]


def test_a_cut_tar_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "train.tar.gz"
    write_tar(file, {f"{n}.png": np.random.default_rng(n).bytes(20_000) for n in range(20)}, "w:gz")
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(TrainingProblem) as caught:
        list(read_pictures([file]))
    assert caught.value.path == file
    assert caught.value.hint


def test_missing_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingProblem, match="no training data"):
        find_sources(tmp_path / "nothing")


def test_unusable_pictures_are_dropped_and_counted() -> None:
    good = pillow("PNG", data.astronaut())
    pictures = [Picture("a", "", good), Picture("b", "", b"no picture"), Picture("c", "", good[:2000]),
                Picture("d", "", pillow("PNG", np.zeros((20, 200, 3), np.uint8)))]  # fmt: skip
    store = load_pictures(pictures, 128)
    assert len(store) == 1
    assert store.dropped == {"not readable": 2, "too small": 1}
    assert store.pictures[0].shape == (128, 128, 3)
    with pytest.raises(TrainingProblem, match="no pictures"):
        load_pictures(pictures[1:], 128)


def test_pictures_are_seen_as_a_viewer_shows_them() -> None:
    """Turned by EXIF, converted by the profile: a network must not learn from sideways or miscoloured pictures."""
    picture = Image.fromarray(data.astronaut()[:200, :300])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    swapped = ImageCms.ImageCmsProfile(io.BytesIO(profile_with_red_and_green_swapped()))
    memory = io.BytesIO()
    picture.save(memory, "PNG", exif=exif, icc_profile=swapped.tobytes())
    seen = decode(memory.getvalue(), 512)
    assert isinstance(seen, np.ndarray)
    turned = np.rot90(data.astronaut()[:200, :300], -1)
    assert seen.shape == turned.shape
    # Little-CMS rounds; the hues are what counts.
    assert np.abs(seen.astype(int) - turned[..., [1, 0, 2]].astype(int)).mean() < 2.0
    assert np.abs(seen.astype(int) - turned.astype(int)).mean() > 10.0


def profile_with_red_and_green_swapped() -> bytes:
    """sRGB whose red and green primaries have changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    places = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    profile[places[b"rXYZ"] : places[b"rXYZ"] + 4], profile[places[b"gXYZ"] : places[b"gXYZ"] + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


def test_decoding_never_enlarges() -> None:
    small = decode(pillow("PNG", data.astronaut()[:100, :80]), 256)
    assert isinstance(small, np.ndarray)
    assert small.shape == (100, 80, 3)


# --- batches


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    store = load_pictures(scenes(), 96)
    first, labels, _, _ = cut_batch(store, deal(store), 5, 4, 64, 0.3)
    cut_batch(store, deal(store), 90, 4, 64, 0.3)
    again = cut_batch(store, deal(store), 5, 4, 64, 0.3).rgb
    other = cut_batch(store, deal(store, seed=2), 5, 4, 64, 0.3).rgb
    assert first.shape == (4, 64, 64, 3)
    assert first.dtype == torch.uint8
    assert set(labels) <= {"day", "night"}
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# --- film look


def test_clean_pairs_are_the_pictures_own_lightness_and_colour() -> None:
    rgb = torch.from_numpy(data.astronaut()[:64, :96].copy())[None]
    lightness, ab = make_pair(rgb, CLEAN, seed=0, step=0)
    luma = luma_of_rgb(rgb.movedim(-1, 1) / 255.0, "bt601")
    torch.testing.assert_close(lightness, lightness_of_luma(luma), atol=1e-4, rtol=0)
    expected = reference.rgb2lab(rgb[0].numpy())[..., 1:].reshape(16, 4, 24, 4, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(ab[0].permute(1, 2, 0).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("effect", [field.name for field in dataclasses.fields(FilmLook)])
def test_each_effect_changes_the_input_but_never_the_target(effect: str) -> None:
    rgb = torch.from_numpy(data.chelsea()[:64, :64].copy())[None].repeat(4, 1, 1, 1)
    clean, target = make_pair(rgb, CLEAN, seed=1, step=2)
    look = dataclasses.replace(CLEAN, **{effect: 1.0})
    worn, same_target = make_pair(rgb, look, seed=1, step=2)
    assert torch.equal(target, same_target)
    assert (worn - clean).abs().mean() > 0.05
    assert worn.min() >= 0
    assert worn.max() <= 100
    assert torch.equal(worn, make_pair(rgb, look, seed=1, step=2)[0])


def test_jpeg_effect_behaves_like_libjpeg() -> None:
    """The same quality through Pillow: our luma is closer to it than the clean one is."""
    grey = np.ascontiguousarray(data.camera()[::2, ::2])
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=30)
    theirs = torch.from_numpy(np.asarray(Image.open(buffer)) / 255.0).float()
    from colorize_media.training.augment import _jpeg

    clean = torch.from_numpy(grey / 255.0).float()[None, None]
    ours = _jpeg(clean, torch.full((1, 1, 1, 1), 30.0))[0, 0]
    assert (ours - theirs).abs().mean() < 0.1 * (clean[0, 0] - theirs).abs().mean()


def test_film_look_is_bounded_for_extreme_pictures() -> None:
    for level in (0.0, 1.0):
        luma = film_look(
            torch.full((8, 3, 32, 32), level),
            FilmLook(1, 1, 1, 1, 1, 1),
            Draws.of(0, 0, range(8)),
            Material.of(0, 0, range(8)),
        )
        assert torch.isfinite(luma).all()
        assert luma.min() >= 0
        assert luma.max() <= 1


# --- losses


def test_soft_encoding_is_five_nearest_bins_by_gaussian_weight() -> None:
    ab = torch.tensor([[3.0, -7.0], [100.0, -60.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 3)
    indices, weights = SoftEncoding()(ab)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 1, 3))
    for column in range(3):
        distance = (bin_centres() - ab[0, :, 0, column]).norm(dim=1)
        nearest = distance.topk(5, largest=False)
        raw = torch.exp(-(nearest.values**2) / 50)
        assert set(indices[0, :, 0, column].tolist()) == set(nearest.indices.tolist())
        torch.testing.assert_close(weights[0, :, 0, column], raw / raw.sum(), atol=1e-5, rtol=1e-4)


def test_rebalancing_weights_have_mean_one_and_favour_rare_colours() -> None:
    prior = reference_prior()
    assert prior.sum().item() == pytest.approx(1, abs=1e-5)
    weights = rebalancing_weights(prior)
    assert (prior * weights).sum().item() == pytest.approx(1, abs=1e-5)
    order = prior.argsort()
    assert torch.all(weights[order].diff() <= 1e-6)
    assert weights.max() / weights.min() < 20
    assert torch.allclose(rebalancing_weights(prior, exponent=0.0), torch.ones(262))


def test_prior_of_one_colour_stays_near_it() -> None:
    prior = measure_prior([torch.tensor([20.0, 30.0]).view(1, 2, 1, 1).expand(1, 2, 8, 8)])
    assert bin_centres()[prior.argmax()].tolist() == [20.0, 30.0]
    assert prior.sum().item() == pytest.approx(1, abs=1e-5)
    assert smooth_prior(torch.ones(262)).std() < 0.002


def test_bin_loss_is_the_cross_entropy_of_its_definition() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 262, 3, 3)
    # Whole numbers, as the table rounds to, and no two of their six nearest bins equally far.
    ab = 10.0 * torch.randint(-2, 3, (2, 2, 3, 3)) + torch.tensor([2.0, 3.0]).view(1, 2, 1, 1)
    weights = rebalancing_weights(reference_prior())
    parts = BinLoss(weights, mean_weight=0.0, scene_weight=0.0)(
        ColorDistribution(logits, torch.zeros(2, 2, 3, 3)), ab, torch.zeros(2, dtype=torch.long)
    )
    distance = torch.cdist(ab.permute(0, 2, 3, 1).reshape(-1, 2), bin_centres())
    soft = torch.exp(-(distance**2) / 50)
    soft = torch.where(distance <= distance.topk(5, largest=False).values[:, -1:], soft, 0)
    soft = soft / soft.sum(dim=1, keepdim=True)
    flat = logits.permute(0, 2, 3, 1).reshape(-1, 262).log_softmax(dim=1)
    expected = (weights[distance.argmin(dim=1)] * -(soft * flat).sum(dim=1)).mean()
    assert parts["total"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_unknown_scenes_cost_nothing() -> None:
    output = ColorDistribution(torch.zeros(2, 262, 1, 1), torch.zeros(2, 2, 1, 1), torch.randn(2, 3))
    loss = BinLoss(torch.ones(262), mean_weight=0.1, scene_weight=1.0)
    none = loss(output, torch.zeros(2, 2, 1, 1), torch.tensor([-1, -1]))
    one = loss(output, torch.zeros(2, 2, 1, 1), torch.tensor([-1, 2]))
    assert none["scene"].item() == 0
    assert one["scene"].item() == pytest.approx(
        torch.nn.functional.cross_entropy(output.scene[1:], torch.tensor([2])).item() / 2
    )


def test_squared_error() -> None:
    output = ColorDistribution(None, torch.full((1, 2, 2, 2), 11.0))
    assert SquaredError()(output, torch.zeros(1, 2, 2, 2), torch.zeros(1))["total"].item() == pytest.approx(0.01)


# --- metrics


def test_metrics_of_the_truth_and_of_grey() -> None:
    lab = rgb_to_lab(torch.from_numpy(data.coffee()[:200, :200].copy()).permute(2, 0, 1)[None] / 255.0)
    perfect, grey = ColorMetrics(), ColorMetrics()
    perfect.add(lab[:, :1], lab[:, 1:], lab[:, 1:])
    grey.add(lab[:, :1], torch.zeros_like(lab[:, 1:]), lab[:, 1:])
    assert perfect.result()["auc"] == pytest.approx(100)
    assert perfect.result()["auc_rebalanced"] == pytest.approx(100)
    assert perfect.result()["ab_mse"] == 0
    assert perfect.result()["colorfulness_ratio"] == pytest.approx(1, abs=1e-3)
    assert grey.result()["auc"] < 90
    assert grey.result()["colorfulness"] < 0.1


def test_auc_is_the_mean_share_over_thresholds() -> None:
    """Brute force over the definition."""
    torch.manual_seed(1)
    ab, truth = 80 * torch.randn(1, 2, 20, 20), torch.zeros(1, 2, 20, 20)
    metrics = ColorMetrics()
    metrics.add(torch.full((1, 1, 20, 20), 50.0), ab, truth)
    distance = ab.norm(dim=1)
    expected = 100 * np.mean([(distance <= threshold).float().mean().item() for threshold in range(151)])
    assert metrics.result()["auc"] == pytest.approx(expected, abs=1e-4)
    assert metrics.result()["auc_rebalanced"] == pytest.approx(expected, abs=1e-4)  # one true bin: equal weights


def test_nearest_bins_are_the_nearest() -> None:
    """Inside and outside the gamut, against brute force."""
    torch.manual_seed(2)
    ab = 260 * torch.rand(1, 2, 50, 60) - 130
    flat = ab.permute(0, 2, 3, 1).reshape(-1, 2)
    found = (flat - bin_centres()[_nearest_bin(ab)]).norm(dim=1)
    least = torch.cdist(flat, bin_centres(), compute_mode="donot_use_mm_for_euclid_dist").min(dim=1).values
    torch.testing.assert_close(found, least, atol=1e-3, rtol=0)


def test_batches_add_up() -> None:
    store = load_pictures(scenes(6), 96)
    whole, parts = evaluate_grey(store, size=64, batch=6), evaluate_grey(store, size=64, batch=1)
    assert whole == pytest.approx(parts, rel=1e-4)


# --- recipes and runs


def test_shipped_recipes_load() -> None:
    for file in RECIPES.glob("*.toml"):
        if is_chain(file.stem):
            continue
        recipe = load_recipe(file.stem)
        assert recipe_from_dict(recipe.as_dict()) == recipe
        assert len(file.read_text().splitlines()) <= 40


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("steps = 0", "steps"),
        ("wings = 2", "wings"),
        ("steps = ", "Invalid"),
        ("sizes = [[0.0, 100]]", "sizes"),
        ('network = "gan"', "gan"),
    ],
)
def test_bad_recipes_are_refused(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "r.toml"
    file.write_text(text)
    with pytest.raises(BadOption) as caught:
        load_recipe(str(file))
    assert word in str(caught.value)


def test_learning_rate_climbs_once_and_falls_to_almost_nothing() -> None:
    recipe = tiny_recipe(steps=1000, warm_up=0.1)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    peak = rates.index(max(rates))
    assert peak == 100
    assert rates[:101] == sorted(rates[:101])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] < 0.01 * recipe.learning_rate


def test_a_plateau_ends_in_a_tail_that_more_steps_push_out() -> None:
    recipe = tiny_recipe(steps=1000, schedule="plateau", warm_up=50, tail=100)
    rates = [learning_rate(step, recipe) for step in range(1000)]
    assert rates[:51] == sorted(rates[:51])
    assert set(rates[50:900]) == {recipe.learning_rate}
    assert rates[899:] == sorted(rates[899:], reverse=True)
    assert rates[-1] < 0.01 * recipe.learning_rate
    longer = dataclasses.replace(recipe, steps=5000)
    assert [learning_rate(step, longer) for step in range(900)] == rates[:900]
    assert learning_rate(999, longer) == recipe.learning_rate


@pytest.mark.parametrize("network", ["scenes", "regression"])
@pytest.mark.usefixtures("narrow")
def test_a_run_leaves_usable_weights_log_curves_and_sheet(
    tmp_path: Path, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "plot_curves", plot_curves)
    store = load_pictures(scenes(40), 96)
    rows: list[dict[str, object]] = []
    weights = train(tiny_recipe(network=network), store, load_pictures(scenes(3), 64), tmp_path / "run",
                    device=torch.device("cpu"), evaluate_every=3, on_row=rows.append)  # fmt: skip
    trained, record = load_weights(weights)
    assert trained.config.kind == network
    assert record["steps"] == 6
    assert record["pictures_seen"] == 24
    assert record["data"]["pictures"] == 40
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {
        "weights.safetensors",
        "state.safetensors",
        "log.jsonl",
        "curves.png",
        "sheet-000003.png",
        "sheet-000006.png",
    } <= names
    assert not [name for name in names if name.startswith(".")]
    assert read_log(tmp_path / "run" / "log.jsonl") == json.loads(json.dumps(rows))
    assert [row["kind"] for row in rows] == ["pace", "mixture", "val", "train", "val"]
    with Image.open(tmp_path / "run" / "sheet-000006.png") as sheet:
        assert len(sheet.convert("RGB").getcolors(1 << 24) or []) > 100


@pytest.mark.usefixtures("narrow")
def test_resume_is_bit_exact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies at step 4 and goes on gives the weights and losses of one that never stopped."""
    store, val = load_pictures(scenes(10), 96), load_pictures(scenes(2), 64)
    cpu = torch.device("cpu")
    monkeypatch.setattr(engine, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(engine, "LOG_EVERY", 1)
    # Two runs that each measure may take two ways, which round differently; one run keeps to its own.
    monkeypatch.setattr(engine, "fastest_way", lambda *_, **__: (Way(True, False), {}))
    whole = train(tiny_recipe(), store, val, tmp_path / "whole", device=cpu, evaluate_every=0)

    class Killed(Exception):
        pass

    def die(row: dict[str, object]) -> None:
        if row["kind"] == "train" and row["step"] == 4:
            raise Killed

    with pytest.raises(Killed):
        train(tiny_recipe(), store, val, tmp_path / "killed", device=cpu, evaluate_every=0, on_row=die)
    resumed = train(Recipe(), store, val, tmp_path / "killed", device=cpu, evaluate_every=0, resume=True)
    first, second = load_weights(whole)[0].state_dict(), load_weights(resumed)[0].state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    losses = [
        [(row["step"], row["loss"]) for row in read_log(tmp_path / name / "log.jsonl") if row["kind"] == "train"]
        for name in ("whole", "killed")
    ]
    assert losses[0] == losses[1]
    assert [step for step, _ in losses[0]] == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("narrow")
def test_a_run_that_is_told_to_end_saves_its_state_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends it after its step; what is there goes on as if nothing had been."""
    store, val, cpu = load_pictures(scenes(10), 96), load_pictures(scenes(2), 64), torch.device("cpu")
    monkeypatch.setattr(engine, "LOG_EVERY", 1)
    heard = signal.getsignal(signal.SIGTERM)

    def end(row: dict[str, Any]) -> None:
        if row["kind"] == "train" and row["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe(), store, val, tmp_path, device=cpu, evaluate_every=0, on_row=end)
    assert signal.getsignal(signal.SIGTERM) == heard
    assert len([row for row in read_log(tmp_path / "log.jsonl") if row["kind"] == "train"]) == 3
    rows: list[dict[str, Any]] = []
    train(Recipe(), store, val, tmp_path, device=cpu, evaluate_every=0, resume=True, on_row=rows.append)
    assert [row["step"] for row in rows if row["kind"] == "train"] == [4, 5, 6]


@pytest.mark.usefixtures("narrow")
def test_more_pictures_and_more_steps_may_come_when_a_run_goes_on(tmp_path: Path) -> None:
    store, val, cpu = load_pictures(scenes(10), 96), load_pictures(scenes(2), 64), torch.device("cpu")
    train(tiny_recipe(steps=2), store, val, tmp_path, device=cpu, evaluate_every=0)
    more = load_pictures(scenes(14), 96)
    weights = train(Recipe(), more, val, tmp_path, device=cpu, evaluate_every=0, resume=True, steps=4)
    record = load_weights(weights)[1]
    assert (record["steps"], record["pictures_seen"], record["data"]["pictures"]) == (4, 16, 14)


def test_early_blocks_that_are_held_stay_as_they_were(tmp_path: Path, fresh_weights: Path) -> None:
    store, val, cpu = load_pictures(scenes(10), 96), load_pictures(scenes(2), 64), torch.device("cpu")
    recipe = tiny_recipe(frozen_blocks=3, scene_weight=0.0, encoder_rate=0.5)
    before = load_weights(fresh_weights)[0].encoder.state_dict()
    weights = train(recipe, store, val, tmp_path, device=cpu, evaluate_every=0, init=fresh_weights)
    after = load_weights(weights)[0].encoder.state_dict()
    held = ("conv1.", "bn1.", "layer1.", "layer2.0.")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not [name for name in moved if name.startswith(held)]
    assert {"layer2.1.conv1.weight", "layer2.1.bn1.running_mean"} <= moved
    with pytest.raises(TrainingProblem, match="needs weights to start from"):
        train(recipe, store, val, tmp_path / "fresh", device=cpu)


def test_a_run_folder_is_not_overwritten_and_an_empty_one_not_resumed(tmp_path: Path) -> None:
    store = load_pictures(scenes(4), 64)
    cpu = torch.device("cpu")
    with pytest.raises(TrainingProblem, match="cannot resume"):
        train(tiny_recipe(), store, store, tmp_path / "none", device=cpu, resume=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.safetensors").write_bytes(b"earlier work")
    with pytest.raises(TrainingProblem, match="holds a run"):
        train(tiny_recipe(), store, store, tmp_path / "run", device=cpu)
    with pytest.raises(TrainingProblem, match="cannot resume"):
        train(tiny_recipe(), store, store, tmp_path / "run", device=cpu, resume=True)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == b"earlier work"


def test_starting_from_weights(tmp_path: Path, fresh_weights: Path, fresh_regression: Path) -> None:
    """With next to no learning the run ends where it began; a scene head of other classes is made anew."""
    store, cpu = load_pictures(scenes(40), 96), torch.device("cpu")
    still = tiny_recipe(steps=1, learning_rate=1e-9, weight_decay=0.0, sizes=((0.0, 32),))
    weights = train(still, store, load_pictures(scenes(1), 64), tmp_path / "run", device=cpu, init=fresh_weights)
    before, after = load_weights(fresh_weights)[0], load_weights(weights)[0]
    assert after.config.scene_classes == ()  # too few pictures of each class for a head
    for name, value in before.named_parameters():
        if not name.startswith("scene_head"):
            torch.testing.assert_close(value, after.get_parameter(name), atol=1e-3, rtol=1e-3)
    with pytest.raises(TrainingProblem, match="cannot start"):
        train(still, store, store, tmp_path / "other", device=cpu, init=fresh_regression)


@pytest.mark.usefixtures("narrow")
def test_a_loss_that_is_not_finite_stops_and_names_its_parts(tmp_path: Path) -> None:
    store = load_pictures(scenes(4), 64)
    with pytest.raises(TrainingProblem, match="not finite") as caught:
        train(tiny_recipe(learning_rate=1e30, steps=20), store, store, tmp_path / "run", device=torch.device("cpu"))
    assert "bins" in caught.value.why
    assert "step" in caught.value.why
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.slow
def test_training_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty-four steps on skies, meadows and red discs beat grey clearly on discs it never saw. A narrow network does not."""
    monkeypatch.setattr(engine, "STATISTICS_BATCHES", 16)
    store = load_pictures(scenes(64), 96)
    unseen = load_pictures([p for p in scenes(80) if int(p.name.split(".")[0]) >= 64], 96)
    weights = train(tiny_recipe(steps=64, batch=8, sizes=((0.0, 32),), look=CLEAN, ema=0.9), store, unseen,
                    tmp_path / "run", device=torch.device("cpu"), evaluate_every=0)  # fmt: skip
    network, _ = load_weights(weights)
    ours = evaluate_network(network, unseen, [Decoding()], size=64, working_size=64)[0]
    grey = evaluate_grey(unseen, size=64)
    assert ours["auc"] > grey["auc"] + 10
    assert ours["ab_mse"] < 0.4 * grey["ab_mse"]


def test_evaluation_leaves_the_network_as_it_was() -> None:
    network = build(ScenesConfig()).train()
    evaluate_network(network, load_pictures(scenes(2), 64), [Decoding()], size=64, working_size=64)
    assert network.training


# --- several processes


@pytest.mark.slow
@pytest.mark.long
def test_two_processes_are_one_with_the_whole_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal parameters on both ranks; the losses and validation numbers of one process that has the doubled batch.

    That one is this process, which computes while the two do.
    """
    from tests.training.two_ranks import work

    here = Path(__file__).parent
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(here.parents[1])}
    monkeypatch.setattr(engine, "LOG_EVERY", engine.LOG_EVERY)  # is set, and put back
    threads = torch.get_num_threads()
    with subprocess.Popen(
        [*torchrun, str(here / "two_ranks.py"), str(tmp_path / "2")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as both:  # fmt: skip
        try:
            one = json.loads(json.dumps(work(tmp_path / "1")))
            _, told = both.communicate(timeout=600)
        finally:
            both.kill()
            torch.set_num_threads(threads)
    assert both.returncode == 0, told
    first, second = (json.loads((tmp_path / "2" / f"rank-{rank}.json").read_text()) for rank in (0, 1))
    assert first["digest"] == second["digest"]
    assert second["rows"] == []
    assert [row["kind"] for row in first["rows"]] == [row["kind"] for row in one["rows"]]
    for ours, theirs in zip(first["rows"], one["rows"], strict=True):
        if ours["kind"] == "train":
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.01)
        elif ours["kind"] == "val":
            assert ours["auc"] == pytest.approx(theirs["auc"], abs=0.1)
            assert ours["ab_mse"] == pytest.approx(theirs["ab_mse"], rel=0.01)
    # Before any step the only difference is the order of sums.
    begun = [next(row["loss"] for row in told["rows"] if row["kind"] == "train") for told in (first, one)]
    assert begun[0] == pytest.approx(begun[1], rel=1e-4)


def test_batch_statistics_over_processes_are_the_whole_batch_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process: the sum over all is the identity, so outputs, gradients and running statistics must be PyTorch's own."""
    monkeypatch.setattr(parallel, "differentiable_sum", lambda tensor: tensor)
    monkeypatch.setattr(parallel.distributed, "get_world_size", lambda: 1)
    torch.manual_seed(3)
    x = (5 + 2 * torch.randn(4, 3, 6, 5)).requires_grad_()
    y = x.detach().clone().requires_grad_()
    theirs = torch.nn.BatchNorm2d(3)
    torch.nn.init.normal_(theirs.weight)
    ours = parallel._with_summed_statistics(copy.deepcopy(theirs))
    target = torch.randn(4, 3, 6, 5)
    for _ in range(3):
        ours(x).mul(target).sum().backward()
        theirs(y).mul(target).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-4, rtol=1e-4)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(y), atol=1e-5, rtol=1e-5)


def test_a_batch_is_shared_out_evenly_or_refused() -> None:
    shares = [Ranks(rank, 3).rows(12) for rank in range(3)]
    assert [place for share in shares for place in share] == list(range(12))
    with pytest.raises(BadOption, match="shared out"):
        Ranks(0, 3).rows(8)


def test_a_part_of_a_batch_is_that_part_of_the_whole() -> None:
    """What a process cuts and how it looks depends on the place in the batch, not on who cuts it."""
    store = load_pictures(scenes(9), 96)
    whole, labels, _, _ = cut_batch(store, deal(store), 3, 6, 64, 0.5)
    some, some_labels, _, _ = cut_batch(store, deal(store), 3, 6, 64, 0.5, rows=range(2, 5))
    assert torch.equal(whole[2:5], some)
    assert labels[2:5] == some_labels
    look = FilmLook(0.7, 0.7, 0.7, 0.7, 0.7, 0.7, old_film=0.5)
    torch.testing.assert_close(
        make_pair(whole, look, 1, 3)[0][2:5], make_pair(some, look, 1, 3, first=2)[0], atol=1e-4, rtol=0
    )


def test_parts_of_a_store_are_disjoint_and_whole() -> None:
    store = load_pictures(scenes(7), 64)
    names = [name for rank in range(3) for name in store.part(rank, 3).names]
    assert sorted(names) == sorted(store.names)


# --- memory


def test_a_picture_that_turns_out_damaged_is_the_one_before_it() -> None:
    """Of one that is not decoded when it is loaded, the header alone is known."""
    good = scenes(3)
    cut = good[1]._replace(name="cut.png", data=good[1].data[:-200])
    store = load_pictures([good[0], cut, good[2], Picture("no.png", "", b"nothing")], 64, memory=0)
    assert store.decoded == 0
    assert store.dropped == {"not readable": 1}
    assert np.array_equal(store.pixels(1), store.pixels(0))
    assert not np.array_equal(store.pixels(2), store.pixels(0))


def test_pictures_that_do_not_fit_are_decoded_when_needed() -> None:
    pictures = scenes(6)
    roomy, tight = load_pictures(pictures, 64), load_pictures(pictures, 64, memory=2 * 64 * 64 * 3)
    assert (roomy.decoded, tight.decoded) == (6, 2)
    assert tight.bytes < roomy.bytes
    assert all(np.array_equal(roomy.pixels(index), tight.pixels(index)) for index in range(6))
    assert torch.equal(cut_batch(roomy, deal(roomy), 2, 4, 32, 0.5)[0], cut_batch(tight, deal(tight), 2, 4, 32, 0.5)[0])


# --- starting from what is known, ending early


@pytest.mark.usefixtures("narrow")
def test_keep_goes_only_part_of_the_way(tmp_path: Path) -> None:
    store, val, cpu = load_pictures(scenes(40), 96), load_pictures(scenes(2), 64), torch.device("cpu")
    start = tmp_path / "start.safetensors"
    save_weights(start, build(ScenesConfig(scene_classes=("beach", "street"))), {})
    begun = load_weights(start)[0].state_dict()
    ends = {}
    for keep in (1.0, 0.25):
        recipe = tiny_recipe(keep=keep, freeze_statistics=True, learning_rate=1e-3, scene_weight=0.0)
        ends[keep] = load_weights(train(recipe, store, val, tmp_path / str(keep), device=cpu, init=start))[0]
    for name, whole in ends[1.0].state_dict().items():
        if "running" in name:
            assert torch.equal(whole, begun[name]), name  # frozen
        elif whole.ndim > 1 and not name.startswith("scene_head"):
            quarter = ends[0.25].state_dict()[name]
            torch.testing.assert_close(quarter, torch.lerp(begun[name], whole, 0.25), atol=2e-3, rtol=2e-3)
    assert not torch.equal(ends[1.0].bin_head.weight, ends[0.25].bin_head.weight)
    with pytest.raises(TrainingProblem, match="needs weights to start from"):
        train(tiny_recipe(keep=0.5), store, val, tmp_path / "fresh", device=cpu)


@pytest.mark.usefixtures("narrow")
def test_a_tuned_network_keeps_its_decoding(tmp_path: Path) -> None:
    network = build(ScenesConfig(temperature=0.7, chroma_gain=1.3))
    save_weights(tmp_path / "tuned.safetensors", network, {})
    store, cpu = load_pictures(scenes(4), 64), torch.device("cpu")
    recipe = tiny_recipe(steps=1, scene_weight=0.0)
    found, _ = load_weights(
        train(recipe, store, store, tmp_path / "run", device=cpu, init=tmp_path / "tuned.safetensors")
    )
    assert (found.config.temperature, found.config.chroma_gain) == (0.7, 1.3)
    with pytest.raises(TrainingProblem, match="cannot start"):
        train(dataclasses.replace(recipe, fuse_global=False), store, store, tmp_path / "other", device=cpu,
              init=tmp_path / "tuned.safetensors")  # fmt: skip


def test_tuning_takes_the_network_of_the_weights_it_begins_with(tmp_path: Path) -> None:
    """`finetune` teaches what is shipped, and what users have trained, whatever its encoder; but not a regression."""
    config = ScenesConfig(encoder="efficientnet-lite0", decoder=(16, 16, 16), residual_bound=0.0, picture_gain=1.0)
    save_weights(tmp_path / "begun.safetensors", build(config), {})
    save_weights(tmp_path / "other.safetensors", build(RegressionConfig()), {})
    recipe = dataclasses.replace(
        load_recipe("finetune"), steps=2, batch=2, sizes=((0.0, 64),), keep=0.5, warm_up=0.5, patience=0
    )
    store = load_pictures(scenes(4), 64)
    cpu = torch.device("cpu")
    weights = train(
        recipe, store, store, tmp_path / "run", device=cpu, evaluate_every=0, init=tmp_path / "begun.safetensors"
    )
    assert load_weights(weights)[0].config == config
    with pytest.raises(TrainingProblem, match="cannot start"):
        train(recipe, store, store, tmp_path / "no", device=cpu, evaluate_every=0, init=tmp_path / "other.safetensors")


@pytest.mark.usefixtures("narrow")
def test_no_better_score_ends_a_run_with_its_best_weights(tmp_path: Path) -> None:
    """A rate so high that it only gets worse: the run ends after two more evaluations and gives the best one's weights."""
    store, val, cpu = load_pictures(scenes(12), 64), load_pictures(scenes(4), 64), torch.device("cpu")
    rows: list[dict[str, Any]] = []
    recipe = tiny_recipe(steps=60, patience=2, learning_rate=0.3, warm_up=0.9, sizes=((0.0, 32),))
    weights = train(recipe, store, val, tmp_path / "run", device=cpu, evaluate_every=2, on_row=rows.append)
    scores = {row["step"]: score(row) for row in rows if row["kind"] == "val"}
    best = max(scores, key=lambda step: scores[step])
    assert load_weights(weights)[1]["steps"] == best
    assert max(scores) < 60
    assert len([step for step in scores if step > best]) == 2


@pytest.mark.parametrize("name", ["classification", "fusion", "scenes", "regression"])
@pytest.mark.usefixtures("narrow")
def test_every_recipe_s_network_trains(tmp_path: Path, name: str) -> None:
    """Each way that the origin names: its own parts and no others."""
    recipe = load_recipe(name, steps=2, batch=4, sizes=[[0.0, 32]])
    store = load_pictures(scenes(64), 64)
    rows: list[dict[str, Any]] = []
    weights = train(recipe, store, load_pictures(scenes(2), 64), tmp_path, device=torch.device("cpu"),
                    evaluate_every=0, on_row=rows.append)  # fmt: skip
    parts = set(next(row for row in rows if row["kind"] == "train")["loss"]) - {"total"}
    network = load_weights(weights)[0]
    modules = {part.split(".")[0] for part in network.state_dict()}
    assert ("global_features" in modules) == (name in ("fusion", "scenes"))
    assert "residual_head" not in modules
    assert ("scene" in parts) == (name in ("fusion", "scenes"))
    if name == "classification":
        assert torch.equal(network(torch.full((1, 1, 32, 32), 50.0)).offset, torch.zeros(1, 2, 8, 8))


@pytest.mark.usefixtures("narrow")
def test_tensorboard_is_asked_for_by_name(tmp_path: Path) -> None:
    store, cpu = load_pictures(scenes(4), 64), torch.device("cpu")
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        with pytest.raises(EnvironmentProblem, match="TensorBoard") as caught:
            train(tiny_recipe(), store, store, tmp_path / "run", device=cpu, tensorboard=True)
        assert "pip install" in caught.value.hint
        return
    train(tiny_recipe(), store, store, tmp_path / "run", device=cpu, tensorboard=True)
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))
