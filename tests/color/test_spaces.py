"""Own colour arithmetic against scikit-image, and the properties that promises rest on."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skimage import color as reference
from skimage import data

from colorize_media.color.spaces import (
    YCbCrSpec,
    chroma_of_luma,
    colorfulness,
    fit_to_gamut,
    lab_to_rgb,
    lightness_of_luma,
    luma_of_rgb,
    rgb_to_lab,
    rgb_to_xyz,
    rgb_to_ycbcr,
    xyz_to_rgb,
    ycbcr_to_rgb,
)
from colorize_media.color.table import chroma_table

MATRICES = ("bt601", "bt709", "bt2020")
JPEG = YCbCrSpec("bt601", full_range=True)


def random_rgb(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def extreme_rgb() -> torch.Tensor:
    """Every colour whose channels are 0, 1 or next to the transfer functions' knees: (1, 3, 1, N)."""
    values = (0.0, 0.001, 0.04, 0.041, 0.5, 0.999, 1.0)
    return torch.tensor(list(itertools.product(values, repeat=3))).T.reshape(1, 3, 1, -1)


@pytest.mark.parametrize("rgb", [random_rgb(2, 3, 40, 50), extreme_rgb()], ids=["random", "extreme"])
def test_lab_agrees_with_scikit_image(rgb: torch.Tensor) -> None:
    expected = reference.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    np.testing.assert_allclose(rgb_to_lab(rgb).permute(0, 2, 3, 1).numpy(), expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
@pytest.mark.parametrize("spread", [0.3, 1.0], ids=["mostly inside the gamut", "far outside"])
def test_rgb_from_lab_agrees_with_scikit_image(spread: float) -> None:
    lab = random_rgb(1, 3, 60, 60, seed=3)
    lab = torch.cat((100 * lab[:, :1], spread * 220 * (lab[:, 1:] - 0.5)), dim=1)
    expected = reference.lab2rgb(lab.permute(0, 2, 3, 1).double().numpy())
    np.testing.assert_allclose(lab_to_rgb(lab).permute(0, 2, 3, 1).numpy(), expected, atol=1e-3)


def test_extreme_colours_come_back_from_lab() -> None:
    rgb = extreme_rgb()
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(rgb), clip=False), rgb, atol=1e-3, rtol=0)


def test_xyz_round_trip() -> None:
    rgb = random_rgb(1, 3, 30, 30)
    torch.testing.assert_close(xyz_to_rgb(rgb_to_xyz(rgb)), rgb, atol=1e-5, rtol=0)


@pytest.mark.parametrize("matrix", MATRICES)
def test_ycbcr_round_trip(matrix: str) -> None:
    rgb = random_rgb(1, 3, 30, 30)
    ycbcr = rgb_to_ycbcr(rgb, matrix)
    assert ycbcr[:, 1:].abs().max() <= 0.5
    torch.testing.assert_close(ycbcr_to_rgb(ycbcr, matrix), rgb, atol=1e-5, rtol=0)


def test_bt601_full_range_is_jpegs() -> None:
    """Against JFIF's published integer formula, through scikit-image-free arithmetic: pure red is (76, 85, 255)."""
    spec = YCbCrSpec("bt601", full_range=True, bits=8)
    red = rgb_to_ycbcr(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1), "bt601")
    assert spec.luma_to_codes(red[0, 0]).round().item() == 76
    assert spec.chroma_to_codes(red[0, 1:]).flatten().tolist() == [85.0, 255.0]


@pytest.mark.parametrize(
    ("bits", "black", "white", "mid"), [(8, 16, 235, 128), (10, 64, 940, 512), (16, 4096, 60160, 32768)]
)
def test_limited_range_codes(bits: int, black: int, white: int, mid: int) -> None:
    spec = YCbCrSpec("bt709", full_range=False, bits=bits)
    codes = torch.tensor([black, white], dtype=torch.float32)
    assert spec.luma_from_codes(codes).tolist() == [0.0, 1.0]
    assert spec.chroma_to_codes(torch.tensor([0.0, 9.0, -9.0])).tolist() == [mid, 240 << (bits - 8), 16 << (bits - 8)]


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("full_range", [False, True])
def test_every_luma_code_survives_the_round_trip(bits: int, full_range: bool) -> None:
    spec = YCbCrSpec("bt709", full_range=full_range, bits=bits)
    low = spec.luma_offset
    codes = torch.arange(low, low + spec.luma_scale + 1, dtype=torch.float64)
    assert torch.equal(spec.luma_to_codes(spec.luma_from_codes(codes)).round(), codes)


@pytest.mark.parametrize("broken", [{"matrix": "bt470"}, {"bits": 7}, {"bits": 17}])
def test_an_impossible_spec_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"unknown matrix|bits must be"):
        YCbCrSpec(**broken)  # type: ignore[arg-type]


def test_lightness_of_a_grey_is_its_lab_lightness() -> None:
    luma = torch.linspace(0, 1, 257).view(1, 1, 1, -1)
    torch.testing.assert_close(lightness_of_luma(luma), rgb_to_lab(luma.expand(1, 3, 1, -1))[:, :1], atol=1e-3, rtol=0)


def test_gamut_fitting_keeps_lightness_and_hue_and_leaves_inside_colours_alone() -> None:
    wild = random_rgb(1, 3, 64, 64, seed=5)
    lab = torch.cat((100 * wild[:, :1], 300 * (wild[:, 1:] - 0.5)), dim=1)
    fitted = fit_to_gamut(lab)
    rgb = lab_to_rgb(fitted, clip=False)
    assert rgb.min() >= -1e-4
    assert rgb.max() <= 1 + 1e-4
    shown = rgb_to_lab(rgb.clamp(0, 1))
    assert (shown[:, 0] - lab[:, 0]).abs().max() < 0.01
    cross = fitted[:, 1] * lab[:, 2] - fitted[:, 2] * lab[:, 1]
    assert cross.abs().max() < 1e-2
    assert torch.all(fitted[:, 1:].norm(dim=1) <= lab[:, 1:].norm(dim=1) + 1e-4)
    inside = rgb_to_lab(random_rgb(1, 3, 64, 64, seed=6))
    assert torch.equal(fit_to_gamut(inside), inside)


@pytest.mark.parametrize("matrix", MATRICES)
def test_the_true_ab_and_luma_give_back_the_true_colour(matrix: str) -> None:
    rgb = torch.cat((random_rgb(1, 3, 1, 5000), extreme_rgb()), dim=-1)
    luma = luma_of_rgb(rgb, matrix)
    chroma = chroma_of_luma(luma, rgb_to_lab(rgb)[:, 1:], matrix)
    back = ycbcr_to_rgb(torch.cat((luma, chroma), dim=1), matrix)
    assert (back - rgb).abs().max() * 255 < 0.1


@pytest.mark.parametrize("matrix", MATRICES)
def test_any_ab_with_any_luma_stays_in_the_cube_and_keeps_the_luma(matrix: str) -> None:
    luma = random_rgb(1, 1, 80, 80, seed=11)
    ab = 260 * (random_rgb(1, 2, 80, 80, seed=12) - 0.5)
    rgb = ycbcr_to_rgb(torch.cat((luma, chroma_of_luma(luma, ab, matrix)), dim=1), matrix)
    assert rgb.min() >= -1e-5
    assert rgb.max() <= 1 + 1e-5
    torch.testing.assert_close(luma_of_rgb(rgb, matrix), luma, atol=1e-5, rtol=0)


def test_no_colour_means_no_chroma() -> None:
    luma = torch.linspace(0, 1, 100).view(1, 1, 10, 10)
    assert chroma_of_luma(luma, torch.zeros(1, 2, 10, 10), "bt709").abs().max() < 1e-4


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_table_agrees_with_the_exact_form_on_photographs(name: str) -> None:
    rgb = torch.from_numpy(getattr(data, name)()[::2, ::2].copy()).permute(2, 0, 1).unsqueeze(0) / 255.0
    spec = YCbCrSpec("bt709", full_range=False, bits=8)
    luma = spec.luma_to_codes(luma_of_rgb(rgb, "bt709")).round()
    ab = rgb_to_lab(rgb)[:, 1:]
    exact = spec.chroma_to_codes(chroma_of_luma(spec.luma_from_codes(luma), ab, "bt709"))[0].permute(1, 2, 0).numpy()
    table = chroma_table("bt709").planes(luma[0, 0].numpy(), ab[0].permute(1, 2, 0).contiguous().numpy(), spec)
    difference = np.abs(table - exact)
    assert difference.mean() < 0.25
    assert np.quantile(difference, 0.99) <= 2
    assert difference.max() <= 6  # where the gamut's edge falls inside one cell of the grid


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_the_fine_table_is_a_code_from_the_other_at_most_and_as_exact(name: str) -> None:
    rgb = torch.from_numpy(getattr(data, name)()[::2, ::2].copy()).permute(2, 0, 1).unsqueeze(0) / 255.0
    luma = JPEG.luma_to_codes(luma_of_rgb(rgb, "bt601")).round()
    ab = rgb_to_lab(rgb)[:, 1:].clamp(-31.0, 31.0)
    exact = JPEG.chroma_to_codes(chroma_of_luma(luma / 255.0, ab, "bt601"))[0].permute(1, 2, 0).numpy()
    planes = (luma[0, 0].numpy().astype(np.uint8), ab[0, 0].numpy(), ab[0, 1].numpy())
    fine = chroma_table("bt601").codes(*planes, JPEG)
    assert fine.dtype == np.uint8
    pair = np.stack(chroma_table("bt601").pair(*planes, JPEG), axis=-1)
    assert np.abs(fine.astype(int) - pair).max() <= 1
    difference = np.abs(fine - exact)
    assert difference.mean() < 0.2
    assert np.quantile(difference, 0.99) <= 2


def test_the_fine_table_has_every_luma_at_its_grid_s_corners_and_neutral_is_neutral() -> None:
    table = chroma_table("bt601")
    luma = np.tile(np.arange(256, dtype=np.uint8), (9, 1))
    corners = list(itertools.product((-31.75, 0.0, 31.75), repeat=2))
    a, b = (np.repeat(np.array(axis, np.float32)[:, None], 256, axis=1) for axis in zip(*corners, strict=True))
    codes = table.codes(luma, a, b, JPEG)
    assert np.abs(codes.astype(int) - np.stack(table.pair(luma, a, b, JPEG), axis=-1)).max() <= 1
    assert np.all(codes[corners.index((0.0, 0.0))] == JPEG.chroma_mid)


@pytest.mark.parametrize(
    ("spec", "spread"),
    [
        (YCbCrSpec("bt601", full_range=True), 60.0),
        (YCbCrSpec("bt601", full_range=False), 5.0),
        (YCbCrSpec("bt601", full_range=True, bits=16), 5.0),
    ],
    ids=["beyond the fine table", "limited range", "16 bits"],
)
def test_what_is_not_in_the_fine_table_is_looked_up_in_the_other(spec: YCbCrSpec, spread: float) -> None:
    random = np.random.default_rng(2)
    luma = random.integers(0, spec.max_code + 1, (40, 50)).astype(np.uint8 if spec.bits == 8 else np.uint16)
    a, b = random.normal(0, spread, (2, 40, 50)).astype(np.float32)
    expected = np.stack(chroma_table("bt601").pair(luma, a, b, spec), axis=-1)
    assert np.array_equal(chroma_table("bt601").codes(luma, a, b, spec), expected)


@pytest.mark.parametrize(("bits", "full_range"), [(8, True), (10, False), (12, False), (16, True)])
def test_table_codes_are_whole_and_legal(bits: int, full_range: bool) -> None:
    spec = YCbCrSpec("bt601", full_range=full_range, bits=bits)
    random = np.random.default_rng(1)
    luma = random.integers(0, spec.max_code + 1, (50, 70)).astype(np.uint16)
    codes = chroma_table("bt601").planes(luma, random.normal(0, 80, (50, 70, 2)).astype(np.float32), spec)
    low, high = spec.chroma_limits
    assert codes.shape == (50, 70, 2)
    assert np.array_equal(codes, np.rint(codes))
    assert codes.min() >= low
    assert codes.max() <= high
    neutral = chroma_table("bt601").planes(luma, np.zeros((50, 70, 2), np.float32), spec)
    assert np.all(neutral == spec.chroma_mid)


def test_threads_that_want_a_table_at_once_get_the_same_one() -> None:
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(chroma_table, ["bt2020"] * 4))
    assert all(table is tables[0] for table in tables)


def test_colorfulness_of_grey_is_zero_and_grows_with_chroma() -> None:
    lab = rgb_to_lab(random_rgb(1, 3, 40, 40))
    values = [colorfulness(lab_to_rgb(torch.cat((lab[:, :1], k * lab[:, 1:]), dim=1))).item() for k in (0, 0.3, 0.6, 1)]
    assert values[0] < 0.1
    assert values == sorted(values)
