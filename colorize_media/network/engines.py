"""Engines: what computes a network's pass. PyTorch on any device, or OpenVINO on a CPU.

Both give the same distribution but for rounding; docs/design-notes.md has the measured difference. OpenVINO is an extra
(``pip install openvino``) and is chosen by name.
"""

from __future__ import annotations

import sys
import warnings
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from colorize_media.errors import BadOption
from colorize_media.machine import require
from colorize_media.models import ColorDistribution, Network, fold_batch_norms
from colorize_media.network.device import choose_device, network_dtype
from colorize_media.options import ENGINES, EngineName

# Whether `auto` may choose OpenVINO. Its deviation is that of bfloat16 itself, so colours do not forbid it; but it takes a
# second to start, and that it is faster is not yet measured on a quiet machine (benchmarks/network.py).
OPENVINO_IN_AUTO: bool = False
SCALE = 4  # the distribution's grid is 1/4 of the input's size


class Engine(Protocol):
    """A network that is ready to run."""

    name: EngineName

    def __call__(self, lightness: Tensor) -> ColorDistribution:
        """One pass: ``(B, 1, H, W)`` float32, L in [0, 100], sides multiples of 32.

        Raises torch.OutOfMemoryError, MemoryError or a RuntimeError that says so when memory does not suffice.
        """


class TorchEngine:
    """A network in PyTorch, on any device. ``network`` is given away."""

    name: EngineName = "torch"

    def __init__(self, network: Network, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        fold_batch_norms(network)
        self.network = network.to(device, dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(self, lightness: Tensor) -> ColorDistribution:
        """As `Engine`; the result is on the device."""
        output: ColorDistribution = self.network(
            lightness.to(self.device, self.dtype, memory_format=torch.channels_last)
        )
        return output


class OpenVinoEngine:
    """A network compiled by OpenVINO for this CPU, for any number and size of pictures.

    One compilation serves all shapes: compiling for a fixed shape runs no faster. ``dtype`` is bfloat16 or float32;
    ``threads`` 0 is as many as PyTorch uses. Raises LibraryMissing.
    """

    name: EngineName = "openvino"

    def __init__(self, network: Network, dtype: torch.dtype, *, threads: int = 0) -> None:
        self._openvino = import_openvino()
        self._model = openvino_model(_DistributionOnly(network))
        self._channels = [output.get_partial_shape()[1].get_length() for output in self._model.outputs]
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",  # all threads on one batch; other batches wait for it anyway
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "INFERENCE_NUM_THREADS": threads or torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # decoder and encoder work on the same cores
        }
        self._request: Any = self._compile()

    def __call__(self, lightness: Tensor) -> ColorDistribution:
        """As `Engine`; the result is float32 on the CPU."""
        seen = lightness.detach().to("cpu", torch.float32).contiguous()
        batch, _, height, width = seen.shape
        grid = (-(-height // SCALE), -(-width // SCALE))
        results = [torch.empty(batch, channels, *grid) for channels in self._channels]
        if self._request is None:
            self._request = self._compile()
        self._request.set_input_tensor(0, self._openvino.Tensor(seen.numpy(), shared_memory=True))
        for place, result in enumerate(results):
            self._request.set_output_tensor(place, self._openvino.Tensor(result.numpy(), shared_memory=True))
        try:
            self._request.start_async()  # infer() returns without a word, and without a result, when memory runs out
            self._request.wait()
        except RuntimeError as error:
            if "alloc" not in str(error):  # "failed to allocate", "can't allocate": each of its nodes has its own words
                raise
            self._request = None  # it keeps what memory it got
            raise MemoryError(f"OpenVINO: not enough memory for a batch of {batch}") from error
        return ColorDistribution(results[0] if len(results) > 1 else None, results[-1])

    def _compile(self) -> Any:
        """What runs the model, with memory of its own."""
        return self._openvino.Core().compile_model(self._model, "CPU", self._settings).create_infer_request()


def choose_engine(name: str, device: str) -> tuple[EngineName, torch.device]:
    """The engine and the device that ``--engine`` and ``--device`` mean together.

    OpenVINO works on the CPU, so with it the device ``auto`` is the CPU. Raises BadOption, DeviceMissing, LibraryMissing.
    """
    if name not in ENGINES:
        raise BadOption("unknown engine", why=f"{name!r} is no engine", hint=f"use {' or '.join(ENGINES)}")
    if name == "openvino":
        if device not in ("auto", "cpu"):
            raise BadOption(
                "engine openvino works on the CPU only",
                why=f"the device is {device!r}",
                hint="use --device cpu, or --engine torch",
            )
        import_openvino()
        return "openvino", torch.device("cpu")
    chosen = choose_device(device)
    if name == "auto" and OPENVINO_IN_AUTO and _openvino_suits(chosen):
        return "openvino", chosen
    return "torch", chosen


def make_engine(name: EngineName, network: Network, device: torch.device, dtype: torch.dtype) -> Engine:
    """The engine that `choose_engine` named. ``network`` is given away."""
    return OpenVinoEngine(network, dtype) if name == "openvino" else TorchEngine(network, device, dtype)


def import_openvino() -> Any:
    """The module ``openvino``, kept from reporting its use. Raises LibraryMissing."""
    # Importing OpenVINO writes an identifier to the home folder and tells its makers over the network, unless
    # openvino_telemetry cannot be imported. convert_model looks for it too, so it stays away.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return require("openvino", "engine openvino is not installed", "run: pip install openvino; or use --engine torch")


def openvino_model(network: nn.Module) -> Any:
    """``openvino.Model`` of a module in evaluation mode that maps lightness to a tuple of tensors, for any shape.

    Raises LibraryMissing.
    """
    openvino = import_openvino()
    example = torch.full((2, 1, 64, 96), 50.0)
    with warnings.catch_warnings():
        # PyTorch advises torch.export instead. It takes ten times as long here, at every start of the command.
        warnings.filterwarnings("ignore", "`torch.jit.trace", category=FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit.trace", category=DeprecationWarning)
        traced = torch.jit.trace(network, example, check_trace=False)
        return openvino.convert_model(traced, input=[openvino.PartialShape([-1, 1, -1, -1])])


def tensors(distribution: ColorDistribution) -> tuple[Tensor, ...]:
    """(logits, offset), or (offset,) where there are no bins: what a graph without Python types can give."""
    return (distribution.offset,) if distribution.logits is None else (distribution.logits, distribution.offset)


class _DistributionOnly(nn.Module):
    """A network with plain tensors as outputs."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, lightness: Tensor) -> tuple[Tensor, ...]:
        return tensors(self.network(lightness))


def _openvino_suits(device: torch.device) -> bool:
    """Installed, and on a CPU that computes bfloat16: on others it was never measured."""
    return device.type == "cpu" and network_dtype(device) == torch.bfloat16 and find_spec("openvino") is not None
