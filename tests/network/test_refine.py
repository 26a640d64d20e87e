"""The spatial mean field: against loops over pixels, neighbours and bins, and by its properties."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorize_media.cli.main import run
from colorize_media.errors import BadOption
from colorize_media.models import (
    ColorDistribution,
    RegressionConfig,
    ScenesConfig,
    ScenesNet,
    bin_centres,
    build,
    config_from_json,
    config_to_json,
    read_description,
    save_weights,
)
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.refine import (
    DILATIONS,
    EDGE,
    HIGHEST_OWN_GAIN,
    ITERATIONS,
    TYPICAL_VARIANCE,
    affinity,
    cells_of,
    mean_field,
    own_gain,
    rings,
    settle_colors,
)
from colorize_media.network.tones import widened
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import colorize_photo
from colorize_media.video.colorize import colorize_video
from tests.made.films import decode, grey_frames, make_video

TEMPERATURE, STRENGTH = 0.8, 2.0


def random_bins(batch: int, height: int, width: int, seed: int = 1) -> ColorDistribution:
    """Distributions with a few likely bins each, and a residual."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(batch, 262, height, width, generator=generator)
    return ColorDistribution(logits, 4 * torch.randn(batch, 2, height, width, generator=generator))


def random_lightness(batch: int, height: int, width: int, seed: int = 2) -> Tensor:
    """What the network saw, four times as large as its grid: patches of like lightness and detail within the cells."""
    generator = torch.Generator().manual_seed(seed)
    cells = 20 * torch.randint(1, 4, (batch, 1, height, width), generator=generator).float()
    fine = cells.repeat_interleave(4, 2).repeat_interleave(4, 3)
    return fine + 4 * torch.rand(fine.shape, generator=generator)


def flat(batch: int, height: int, width: int) -> Tensor:
    return torch.full((batch, 1, 4 * height, 4 * width), 50.0)


def uneven_network(config: ScenesConfig | RegressionConfig, folder: Path) -> Path:
    """Weights of an untrained network that gives neighbouring cells very different colours."""
    torch.manual_seed(5)
    network = build(config)
    head = network.bin_head if isinstance(network, ScenesNet) else network.head
    with torch.no_grad():
        head.weight *= 20
    path = folder / f"{config.kind}.safetensors"
    save_weights(path, network, {})
    return path


def neighbours(row: int, column: int, height: int, width: int) -> list[tuple[int, int]]:
    around = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]
    places = [(row + d * y, column + d * x) for d in DILATIONS for y, x in around]
    return [(y, x) for y, x in places if 0 <= y < height and 0 <= x < width]


def system_of(distribution: ColorDistribution, lightness: Tensor) -> tuple[NDArray[np.float64], ...]:
    """By loops, for one picture: own colours (h, w, 2) and pulls s_i·w_ij as a matrix (hw, hw)."""
    assert distribution.logits is not None
    logits = distribution.logits[0].double().numpy() / TEMPERATURE
    offset = distribution.offset[0].double().numpy()
    centres = bin_centres().double().numpy()
    _, height, width = logits.shape
    own, pull = np.zeros((height, width, 2)), np.zeros((height * width, height * width))
    for row in range(height):
        for column in range(width):
            weights = [math.exp(value - logits[:, row, column].max()) for value in logits[:, row, column]]
            total = sum(weights)
            mean = sum(weight / total * centre for weight, centre in zip(weights, centres, strict=True))
            spread = sum(w / total * ((c - mean) ** 2).sum() for w, c in zip(weights, centres, strict=True))
            own[row, column] = mean + offset[:, row, column]
            strength = STRENGTH * (spread / 2) / TYPICAL_VARIANCE
            here = lightness[0, 0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].double().mean().item()
            for y, x in neighbours(row, column, height, width):
                there = lightness[0, 0, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].double().mean().item()
                likeness = math.exp(-((here - there) ** 2) / (2 * EDGE**2)) / (8 * len(DILATIONS))
                pull[row * width + column, y * width + x] = strength * likeness
    return own, pull


def test_agrees_with_loops_over_pixels_neighbours_and_bins() -> None:
    distribution, lightness = random_bins(1, 4, 5), random_lightness(1, 4, 5)
    own, pull = system_of(distribution, lightness)
    expected = own.copy()
    for _ in range(ITERATIONS):
        before = expected.copy()
        for row in range(4):
            for column in range(5):
                weights = pull[row * 5 + column].reshape(4, 5)
                told = sum(weights[y, x] * before[y, x] for y, x in neighbours(row, column, 4, 5))
                expected[row, column] = (own[row, column] + told) / (1 + weights.sum())
    assert np.abs(expected - own).max() > 3  # it does something
    ours = mean_field(distribution, lightness, temperature=TEMPERATURE, strength=STRENGTH)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-5)


def test_iterations_lead_to_the_optimum_of_the_random_field() -> None:
    """min Σ ‖m_i − ab_i‖²/2v_i + ½ Σ β_ij ‖m_i − m_j‖² (each pair counted twice) is a linear system, solved whole here."""
    distribution, lightness = random_bins(1, 4, 5), random_lightness(1, 4, 5)
    own, pull = system_of(distribution, lightness)
    matrix = np.eye(20) + np.diag(pull.sum(axis=1)) - pull
    optimum = np.linalg.solve(matrix, own.reshape(20, 2)).reshape(4, 5, 2)
    errors = []
    for iterations in (1, 4, 16, 200):
        ours = mean_field(distribution, lightness, temperature=TEMPERATURE, strength=STRENGTH, iterations=iterations)
        errors.append(float(np.abs(ours[0].permute(1, 2, 0).numpy() - optimum).max()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-3


def test_gaussian_bins_give_the_mean_field_over_bins() -> None:
    """Where p is a Gaussian, reweighting every bin by exp(−Σ_j β_ij ‖c_k − m_j‖²) gives the same colours."""
    height, width = 3, 6
    generator = torch.Generator().manual_seed(3)
    centres = bin_centres().double()
    # Well inside the gamut: at its border a Gaussian is cut off by the bins that are not there.
    peaks = torch.tensor([8.0, 10.0]) + 16 * torch.rand(height, width, 2, generator=generator)
    logits = -((peaks.double()[..., None, :] - centres) ** 2).sum(-1) / (2 * 90.0)  # (h, w, 262)
    distribution = ColorDistribution(logits.float().permute(2, 0, 1)[None], torch.zeros(1, 2, height, width))
    lightness = 45 + 0.1 * random_lightness(1, height, width)
    taps = rings(DILATIONS)
    likeness = affinity(lightness, taps)[0].double()
    colors = torch.softmax(logits, dim=-1) @ centres
    for _ in range(ITERATIONS):
        tilted = logits.clone()
        for row in range(height):
            for column in range(width):
                for number, (down, across) in enumerate(taps):
                    y, x = row + down, column + across
                    if 0 <= y < height and 0 <= x < width:
                        cost = STRENGTH / (2 * TYPICAL_VARIANCE) * likeness[number, row, column]
                        tilted[row, column] -= cost * ((centres - colors[y, x]) ** 2).sum(-1)
        colors = torch.softmax(tilted, dim=-1) @ centres
    ours = mean_field(distribution, lightness, strength=STRENGTH)[0].permute(1, 2, 0)
    torch.testing.assert_close(ours, colors.float(), atol=0.05, rtol=0)
    assert float((ours - distribution.mean()[0].permute(1, 2, 0)).abs().max()) > 1  # it does something


def test_no_strength_is_exactly_the_annealed_mean() -> None:
    distribution, lightness = random_bins(2, 5, 7), random_lightness(2, 5, 7)
    plain = distribution.mean(TEMPERATURE)
    assert torch.equal(settle_colors(distribution, lightness, temperature=TEMPERATURE, gain=1.0), plain)
    torch.testing.assert_close(mean_field(distribution, lightness, temperature=TEMPERATURE, strength=0.0), plain)


def test_regression_is_the_gaussian_case() -> None:
    """Two cells in a row of even lightness, so each has one neighbour in its nearest ring: solved by hand."""
    distribution = ColorDistribution(None, torch.tensor([[[[0.0, 30.0]], [[0.0, -60.0]]]]))
    ours = mean_field(distribution, flat(1, 1, 2), strength=2.0, dilations=(1,), iterations=500)
    share = (2.0 / 8) / (1 + 2 * 2.0 / 8)  # s/8 of the other's colour: m_1 = 30 (s/8) / (1 + 2 s/8)
    torch.testing.assert_close(ours[0, 0, 0], torch.tensor([30 * share, 30 * (1 - share)]))
    torch.testing.assert_close(ours[0, 1, 0], torch.tensor([-60 * share, -60 * (1 - share)]))


def test_a_constant_picture_stays() -> None:
    one = random_bins(1, 1, 1)
    assert one.logits is not None
    everywhere = ColorDistribution(one.logits.expand(1, 262, 12, 20), one.offset.expand(1, 2, 12, 20))
    ours = mean_field(everywhere, random_lightness(1, 12, 20), strength=5.0)
    torch.testing.assert_close(ours, everywhere.mean(), atol=1e-4, rtol=1e-5)


def test_nothing_crosses_a_strong_edge_of_lightness() -> None:
    """A blue and a red half of noisy colours, bright and dark: each becomes even, neither takes from the other."""
    generator = torch.Generator().manual_seed(4)
    colors = 5 * torch.randn(1, 2, 16, 24, generator=generator)
    colors[:, 1, :, :12] -= 40
    colors[:, 0, :, 12:] += 50
    lightness = torch.full((1, 1, 64, 96), 80.0)
    lightness[..., 48:] = 30.0
    ours = mean_field(ColorDistribution(None, colors), lightness, strength=10.0)
    for half in (slice(0, 12), slice(12, 24)):
        alone = mean_field(
            ColorDistribution(None, colors[..., half]), lightness[..., 4 * half.start : 4 * half.stop], strength=10.0
        )
        torch.testing.assert_close(ours[..., half], alone, atol=1e-3, rtol=0)
        assert ours[..., half].std(dim=(-2, -1)).max() < 0.5 * colors[..., half].std(dim=(-2, -1)).min()
    # Without the edge they do mix: the edge is what kept them apart.
    assert mean_field(ColorDistribution(None, colors), flat(1, 16, 24), strength=10.0)[0, 0, 8, 11] > 5


def test_a_thin_line_between_edges_keeps_its_colour() -> None:
    colors = torch.zeros(1, 2, 9, 9)
    colors[:, 0, :, 4] = 40.0
    lightness = torch.full((1, 1, 36, 36), 70.0)
    lightness[..., 4 * 4 : 4 * 5] = 20.0
    lightness[..., 4 * 2 : 4 * 3, :] = (
        95.0  # crosses the line, so that one cell of it has no like neighbour in its column
    )
    ours = mean_field(ColorDistribution(None, colors), lightness, strength=10.0)
    torch.testing.assert_close(ours[0, 0, :2, 4], torch.full((2,), 40.0), atol=1e-3, rtol=0)


def test_more_strength_leaves_less_unevenness_where_lightness_is_even() -> None:
    distribution = random_bins(1, 24, 24)
    spreads = [
        float(mean_field(distribution, flat(1, 24, 24), strength=s).var(dim=(-2, -1)).sum())
        for s in (0, 0.5, 1, 2, 5, 10)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.3 * spreads[0]


def test_a_sure_cell_leads_and_a_doubting_one_follows() -> None:
    logits = torch.zeros(1, 262, 1, 2)  # the right cell has no idea
    blue = int((bin_centres() - torch.tensor([0.0, -40.0])).norm(dim=1).argmin())
    logits[0, blue, 0, 0] = 30.0
    distribution = ColorDistribution(logits, torch.zeros(1, 2, 1, 2))
    before, after = distribution.mean()[0, 1, 0], mean_field(distribution, flat(1, 1, 2), strength=3.0)[0, 1, 0]
    assert float(after[0]) == pytest.approx(-40.0, abs=0.1)
    assert float(before[1]) > 0  # the mean of all bins
    assert float(after[1]) < float(before[1]) - 5


def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    distribution, lightness = random_bins(3, 9, 11), random_lightness(3, 9, 11)
    together = mean_field(distribution, lightness)
    assert distribution.logits is not None
    for number in range(3):
        part = ColorDistribution(distribution.logits[number : number + 1], distribution.offset[number : number + 1])
        torch.testing.assert_close(mean_field(part, lightness[number : number + 1])[0], together[number])


@pytest.mark.parametrize("dims", [(-1,), (-2,), (-2, -1)])
def test_a_flipped_picture_gets_flipped_colours(dims: tuple[int, ...]) -> None:
    distribution, lightness = random_bins(1, 10, 13), random_lightness(1, 10, 13)
    assert distribution.logits is not None
    flipped = ColorDistribution(distribution.logits.flip(dims), distribution.offset.flip(dims))
    torch.testing.assert_close(
        mean_field(flipped, lightness.flip(dims)), mean_field(distribution, lightness).flip(dims), atol=1e-4, rtol=1e-5
    )


@pytest.mark.parametrize("strength", [0.3, 1.0, 10.0])
def test_no_colour_leaves_the_range_of_the_cells_own(strength: float) -> None:
    distribution = random_bins(2, 12, 12)
    own, ours = distribution.mean(), mean_field(distribution, random_lightness(2, 12, 12), strength=strength)
    assert bool((ours.amax(dim=(-2, -1)) <= own.amax(dim=(-2, -1)) + 1e-4).all())
    assert bool((ours.amin(dim=(-2, -1)) >= own.amin(dim=(-2, -1)) - 1e-4).all())


def test_colours_stay_within_reach() -> None:
    wild = ColorDistribution(None, torch.full((1, 2, 2, 2), 90.0))
    for refine in (0.0, 1.0):
        assert settle_colors(wild, flat(1, 2, 2), temperature=1.0, gain=2.0, refine=refine).max() == 110


@pytest.mark.parametrize("size", [(32, 32), (30, 33), (4, 5)])
def test_any_size_of_picture(size: tuple[int, int]) -> None:
    height, width = size
    grid = (-(-height // 4), -(-width // 4))
    ours = mean_field(random_bins(1, *grid), 100 * torch.rand(1, 1, height, width))
    assert ours.shape == (1, 2, *grid)
    assert bool(ours.isfinite().all())


def test_half_precision_networks_are_decided_in_float32() -> None:
    distribution, lightness = random_bins(1, 8, 8), random_lightness(1, 8, 8)
    assert distribution.logits is not None
    exact = mean_field(distribution, lightness)
    for dtype in (torch.bfloat16, torch.float16):
        logits = distribution.logits.to(dtype).contiguous(memory_format=torch.channels_last)
        half = ColorDistribution(logits, distribution.offset.to(dtype))
        ours = mean_field(half, lightness)
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours, exact, atol=1.0, rtol=0.02)


@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_a_network_without_doubt_gives_finite_colours(extreme: float) -> None:
    logits = torch.zeros(1, 262, 4, 4)
    logits[:, 17] = extreme
    distribution = ColorDistribution(logits, torch.zeros(1, 2, 4, 4))
    own, variance, chroma = cells_of(distribution)
    assert float(variance.min()) >= 0
    assert bool(torch.isfinite(chroma).all())
    torch.testing.assert_close(mean_field(distribution, flat(1, 4, 4), strength=10.0), own, atol=0.1, rtol=0)


# --- each picture's own gain


def two_colours(share: float) -> ColorDistribution:
    """``(1, 262, 4, 4)``: the bin (0, 40) with probability ``share``, (0, −40) with the rest."""
    probabilities = torch.full((262,), 1e-12)
    for colour, part in (((0.0, 40.0), share), ((0.0, -40.0), 1 - share)):
        probabilities[(bin_centres() - torch.tensor(colour)).norm(dim=1).argmin()] = part
    return ColorDistribution(probabilities.log()[None, :, None, None].expand(1, 262, 4, 4), torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize(("share", "gain"), [(1.0, 1.0), (0.9, 1 / 0.8), (0.75, 2.0), (0.6, HIGHEST_OWN_GAIN)])
def test_own_gain_is_the_chroma_expected_over_the_chroma_shown(share: float, gain: float) -> None:
    """Blue or yellow: the mean of both is grey, and doubt alone says so. 2p − 1 of 40 is shown where 40 is expected."""
    found = own_gain(cells_of(two_colours(share)))
    assert found.shape == (1, 1, 1, 1)
    assert float(found) == pytest.approx(gain, rel=1e-4)


def test_own_gain_is_each_pictures_own_and_leaves_hue_alone() -> None:
    distribution, lightness = random_bins(3, 6, 7), random_lightness(3, 6, 7)
    for refine in (0.0, 1.0):
        plain, own = (
            settle_colors(distribution, lightness, temperature=0.7, gain=0.2, picture_gain=power, refine=refine)
            for power in (0.0, 1.0)
        )
        gains = own_gain(cells_of(distribution, 0.7))
        torch.testing.assert_close(own, gains * plain)
        assert len(set(gains.flatten().tolist())) == 3
        alone = settle_colors(
            distribution.part(1, 2), lightness[1:2], temperature=0.7, gain=0.2, picture_gain=1.0, refine=refine
        )
        torch.testing.assert_close(alone, own[1:2])


def test_a_network_of_one_colour_a_cell_has_no_doubt_to_gain_by() -> None:
    colours = 20 * torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    distribution = ColorDistribution(None, colours)
    own = settle_colors(distribution, flat(1, 4, 4), temperature=1.0, gain=1.0, picture_gain=1.0)
    torch.testing.assert_close(own, colours)
    grey = ColorDistribution(None, torch.zeros(1, 2, 4, 4))
    assert float(own_gain(cells_of(grey))) == 1.0


def test_on_a_gpu_as_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    distribution, lightness = random_bins(2, 16, 16), random_lightness(2, 16, 16)
    assert distribution.logits is not None
    there = ColorDistribution(distribution.logits.cuda(), distribution.offset.cuda())
    ours = mean_field(there, lightness)  # the lightness may still be where it was read
    assert ours.device.type == "cuda"
    torch.testing.assert_close(ours.cpu(), mean_field(distribution, lightness), atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize(
    "config", [ScenesConfig(refine=2.0), RegressionConfig(refine=2.0)], ids=["scenes", "regression"]
)
def test_the_colorizer_refines_as_its_model_says_unless_told(
    config: ScenesConfig | RegressionConfig, tmp_path: Path
) -> None:
    colorizer = Colorizer(str(uneven_network(config, tmp_path)), "cpu")
    lightness = 20 * torch.rand(2, 1, 64, 96)
    default, off = colorizer.colors(lightness), colorizer.colors(lightness, refine=0.0)
    plain = colorizer.distribution(widened(lightness)).mean(config.temperature).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(off, plain)
    np.testing.assert_array_equal(colorizer.colors(lightness, refine=2.0), default)
    assert default.var(axis=(1, 2)).sum() < 0.9 * off.var(axis=(1, 2)).sum()


def test_weights_from_before_the_option_mean_their_own_default(fresh_weights: Path) -> None:
    text = config_to_json(read_description(fresh_weights)[0])
    values = json.loads(text)
    assert values.pop("refine") == ScenesConfig().refine
    assert config_to_json(config_from_json(json.dumps(values))) == text


def test_the_option_reaches_photographs_and_films(tmp_path: Path) -> None:
    colorizer = Colorizer(str(uneven_network(RegressionConfig(refine=0.0), tmp_path)), "cpu")
    grain = np.random.default_rng(6).integers(100, 140, (64, 96), dtype=np.uint8)
    Image.fromarray(grain).save(tmp_path / "in.png")
    make_video(tmp_path / "in.mkv", codec="ffv1", frames=grey_frames(2))
    spread: dict[str, list[float]] = {"photo": [], "film": []}
    for strength in (None, 0.0, 10.0):
        options = ColorizeOptions(refine=strength, encoder="ffv1", smoothing="off", working_size=64)
        photo, film = tmp_path / f"{strength}.png", tmp_path / f"{strength}.mkv"
        colorize_photo(tmp_path / "in.png", photo, colorizer, options)
        colorize_video(tmp_path / "in.mkv", film, colorizer, options)
        rgb = np.asarray(Image.open(photo)).astype(float)
        spread["photo"].append(float((rgb[..., 0] - rgb[..., 2]).std()))
        spread["film"].append(float(np.mean([plane.std() for frame in decode(film) for plane in frame.planes[1:]])))
    for model, off, strong in spread.values():
        assert model == off > 0
        assert strong < 0.9 * off


@pytest.mark.parametrize("strength", [-0.1, 10.5, math.nan])
def test_a_strength_out_of_range_is_wrong_usage(
    strength: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadOption, match="bad value for refine"):
        ColorizeOptions(refine=strength)
    assert run([str(tmp_path), "--refine", str(strength)]) == 2
    assert "0 to 10" in capsys.readouterr().err
