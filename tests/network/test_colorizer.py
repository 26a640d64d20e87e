"""Devices, working sizes, batches and running out of memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.errors import BadOption, DeviceMissing
from colorize_media.models import ColorDistribution, consensus
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.device import choose_device, describe_device, machine_facts, mixed_precision, network_dtype
from colorize_media.network.engines import Engine
from colorize_media.network.seen import lightness_batch, working_luma, working_shape
from colorize_media.options import still_sizes


def test_auto_names_a_device_that_is_there() -> None:
    device = choose_device("auto")
    assert torch.zeros(1, device=device).sum().item() == 0
    assert device.type in describe_device(device)
    assert network_dtype(torch.device("cpu")) in (torch.float32, torch.bfloat16)
    assert machine_facts()["auto device"] == describe_device(device)


@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize("wanted", [True, False])
def test_products_are_taken_in_bfloat16_only_where_it_is_wanted_and_computed(
    monkeypatch: pytest.MonkeyPatch, computed: bool, wanted: bool
) -> None:
    """Emulated bfloat16 made training steps on CPUs without it take 14 times as long as float32."""
    monkeypatch.setattr("colorize_media.network.device._cpu_computes_bfloat16", lambda: computed)
    with mixed_precision(torch.device("cpu"), wanted=wanted):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if computed and wanted else torch.float32)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "", "CPU", "cpu:0 "])
def test_an_unknown_device_is_wrong_usage(name: str) -> None:
    with pytest.raises(BadOption, match="unknown device") as caught:
        choose_device(name)
    assert caught.value.exit_code == 2
    assert "cuda:N" in caught.value.hint


@pytest.mark.parametrize("name", ["cuda", "cuda:99", "mps"])
def test_a_missing_device_is_an_error_and_never_the_cpu(name: str) -> None:
    if (name == "cuda" and torch.cuda.is_available()) or (name == "mps" and torch.backends.mps.is_available()):
        pytest.skip(f"this machine has {name}")
    with pytest.raises(DeviceMissing, match="missing") as caught:
        choose_device(name)
    assert caught.value.exit_code == 3
    assert "--device auto" in caught.value.hint


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1080, 1920), (256, 448)),
        ((1920, 1080), (448, 256)),
        ((10, 10), (256, 256)),
        ((3, 4000), (256, 1024)),
        ((256, 256), (256, 256)),
    ],
)
def test_working_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_shape(*size, 256) == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_working_luma_keeps_codes(dtype: type) -> None:
    luma = np.full((90, 130), 77, dtype)
    for shape in ((32, 64), (256, 352)):
        small = working_luma(luma, shape)
        assert small.shape == shape
        assert np.all(small == 77)


def test_lightness_of_black_and_white_in_both_ranges() -> None:
    for spec in (YCbCrSpec(full_range=True), YCbCrSpec(full_range=False, bits=10)):
        ends = np.array([[spec.luma_offset, spec.luma_offset + spec.luma_scale]], np.float32)
        assert lightness_batch([ends], spec).flatten().tolist() == pytest.approx([0, 100], abs=1e-3)


def test_batches_equal_single_pictures(fresh_weights: Path) -> None:
    pictures = 100 * torch.rand(5, 1, 64, 96)
    together = Colorizer(str(fresh_weights), "cpu", batch_size=4).colors(pictures)
    alone = Colorizer(str(fresh_weights), "cpu", batch_size=1)
    assert together.shape == (5, 16, 24, 2)
    assert together.dtype == np.float32
    one_by_one = np.concatenate([alone.colors(picture[None]) for picture in pictures])
    np.testing.assert_allclose(together, one_by_one, atol=0.6)  # bfloat16 may round in another order


class Cramped:
    """The real engine on a device that holds only so many pictures at once."""

    def __init__(self, engine: Engine, room: int, error: Exception) -> None:
        self.name, self.engine, self.room, self.error = engine.name, engine, room, error
        self.batches: list[int] = []

    def __call__(self, lightness: torch.Tensor) -> ColorDistribution:
        self.batches.append(len(lightness))
        if len(lightness) > self.room:
            raise self.error
        return self.engine(lightness)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_running_out_of_memory_halves_the_batch_and_loses_nothing(fresh_weights: Path, error: Exception) -> None:
    pictures = 100 * torch.rand(11, 1, 32, 32)
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=8)
    expected = colorizer.colors(pictures)
    cramped = colorizer.engine = Cramped(colorizer.engine, 3, error)
    np.testing.assert_allclose(colorizer.colors(pictures), expected, atol=0.6)
    assert cramped.batches == [8, 4, 2, 2, 2, 2, 2, 1]
    assert colorizer.batch_size == 2


def test_one_picture_that_does_not_fit_is_the_callers_problem(fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu")
    colorizer.engine = Cramped(colorizer.engine, 0, torch.OutOfMemoryError("no"))
    with pytest.raises(torch.OutOfMemoryError):
        colorizer.colors(torch.zeros(4, 1, 32, 32))


def test_other_errors_are_not_taken_for_memory(fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    cramped = colorizer.engine = Cramped(colorizer.engine, 1, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        colorizer.colors(torch.zeros(4, 1, 32, 32))
    assert cramped.batches == [4]


def test_vividness_scales_chroma_at_constant_hue(fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu")
    pictures = 100 * torch.rand(1, 1, 64, 64)
    plain = colorizer.colors(pictures)
    assert np.abs(plain).max() > 1
    assert np.all(colorizer.colors(pictures, vividness=0) == 0)
    np.testing.assert_allclose(colorizer.colors(pictures, vividness=1.5), 1.5 * plain, rtol=1e-3, atol=1e-3)


def test_regression_answers_the_same_question(fresh_regression: Path) -> None:
    assert Colorizer(str(fresh_regression), "cpu").colors(torch.zeros(2, 1, 64, 64)).shape == (2, 16, 16, 2)


# --- several looks at a photograph


def test_still_sizes_are_around_the_working_size() -> None:
    assert still_sizes(192) == (224, 160)
    for working_size in range(64, 1025):
        sizes = still_sizes(working_size)
        assert sizes == tuple(sorted(set(sizes), reverse=True))
        assert all(size % 32 == 0 and 0.6 * working_size <= size <= 1.4 * working_size for size in sizes)


@pytest.fixture(scope="module")
def trained() -> Colorizer:
    """The shipped network: one that has learned nothing hardly looks at its input."""
    return Colorizer("scenes", "cpu")


def lightness(picture: np.ndarray, height: int, width: int) -> torch.Tensor:
    return lightness_batch([working_luma(picture, (height, width))], YCbCrSpec(full_range=True))


def test_a_mirrored_picture_gets_mirrored_colours(trained: Colorizer) -> None:
    views = [lightness(data.camera(), 96, 128), lightness(data.camera(), 64, 96)]
    colors = trained.colors(*views, mirror=True)
    assert colors.shape == (1, 24, 32, 2)
    mirrored = trained.colors(*(view.flip(-1) for view in views), mirror=True)
    # The same looks in another order: only the order of a sum differs.
    np.testing.assert_allclose(mirrored, colors[:, :, ::-1], atol=1e-2)
    once = trained.colors(views[0])
    assert np.abs(trained.colors(views[0].flip(-1)) - once[:, :, ::-1]).max() > 1.0  # one look is not even-handed


def test_every_look_counts(trained: Colorizer) -> None:
    first, second, other = (lightness(getattr(data, name)(), 64, 64) for name in ("camera", "moon", "brick"))
    np.testing.assert_allclose(trained.colors(first), trained.colors(first, first), atol=1e-2)
    both = trained.colors(first, second)
    assert np.abs(both - trained.colors(first)).max() > 1.0
    assert np.abs(both - trained.colors(first, other)).max() > 1.0


def test_consensus_is_the_normalised_geometric_mean() -> None:
    logits = [torch.randn(1, 262, 3, 5) for _ in range(3)]
    offsets = [torch.randn(1, 2, 3, 5) for _ in range(3)]
    found = consensus([ColorDistribution(*pair) for pair in zip(logits, offsets, strict=True)])
    product = torch.stack([one.softmax(1) for one in logits]).prod(dim=0) ** (1 / 3)
    assert found.logits is not None
    torch.testing.assert_close(found.logits.softmax(1), product / product.sum(dim=1, keepdim=True))
    torch.testing.assert_close(found.offset, sum(offsets) / 3)
    # A prior taken out of every look is taken out of what they agree on.
    prior = torch.randn(1, 262, 1, 1)
    shifted = consensus([ColorDistribution(one + prior, offset) for one, offset in zip(logits, offsets, strict=True)])
    assert shifted.logits is not None
    torch.testing.assert_close(shifted.logits.softmax(1), (found.logits + prior).softmax(1))


def test_consensus_of_networks_without_bins_and_of_other_grids() -> None:
    small, large = torch.full((1, 2, 2, 2), 4.0), torch.full((1, 2, 6, 8), 8.0)
    found = consensus([ColorDistribution(None, large), ColorDistribution(None, small)])
    assert found.logits is None
    torch.testing.assert_close(found.offset, torch.full((1, 2, 6, 8), 6.0))
