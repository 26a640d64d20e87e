"""Where the network runs, and in which precision. ``auto`` chooses and says so; a named device is never replaced."""

from __future__ import annotations

import os
import platform
import re
import warnings

import torch

from colorize_media.errors import BadOption, DeviceMissing


def choose_device(name: str) -> torch.device:
    """The device that ``--device`` means: auto (cuda, else mps, else cpu), cpu, cuda, cuda:N or mps.

    Raises BadOption for any other word, DeviceMissing if a named device is not there.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name):
        raise BadOption("unknown device", why=f"{name!r} is no device", hint="use auto, cpu, cuda, cuda:N or mps")
    if name == "auto":
        name = "cuda" if _cuda_count() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= _cuda_count():
        found = _cuda_count()
        why = f"PyTorch {torch.__version__} sees {found} CUDA device{'s' if found != 1 else ''}"
        raise DeviceMissing(
            f"device {name} is missing", why=why, hint="use --device auto or cpu, or check the GPU driver"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        why = f"PyTorch {torch.__version__} on {platform.system()} has no MPS"
        raise DeviceMissing("device mps is missing", why=why, hint="use --device auto or cpu")
    return device


def network_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes it (a third of float32's time), float16 on older GPUs, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16
    if device.type == "cpu" and _cpu_computes_bfloat16():
        return torch.bfloat16
    return torch.float32


def mixed_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """A context in which products are taken in bfloat16 where the hardware computes it, and in float32 elsewhere.

    On a CPU without it autocast would emulate bfloat16: a training step then takes 14 times as long as in float32. float16 is
    left out, because training in it needs a scaled loss.
    """
    computed = network_dtype(device) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and computed)


def default_batch(device: torch.device) -> int:
    """Pictures per pass: a GPU wants many; a CPU gains nothing from more than keep its threads even."""
    return 4 if device.type == "cpu" else 32


def describe_device(device: torch.device) -> str:
    """For people: ``cuda:0 (NVIDIA …)`` or ``cpu (2 threads, bfloat16)``."""
    dtype = str(network_dtype(device)).removeprefix("torch.")
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)}, {dtype})"
    if device.type == "cpu":
        return f"cpu ({torch.get_num_threads()} threads, {dtype})"
    return f"{device} ({dtype})"


def machine_facts() -> dict[str, str]:
    """What ``doctor`` tells of the machine."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda devices": str(_cuda_count()),
        "mps": "yes" if torch.backends.mps.is_available() else "no",
        "auto device": describe_device(choose_device("auto")),
    }


def _cuda_count() -> int:
    with warnings.catch_warnings():  # a CUDA build on a machine without a driver warns; having none is no news
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _cpu_computes_bfloat16() -> bool:
    """AVX512-BF16 or AMX. On other CPUs bfloat16 is emulated and slower than float32."""
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask() for ask in asked if ask is not None)
