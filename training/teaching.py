"""Learning from another network (Hinton et al. 2015): what a teacher says of the clean picture, beside the truth.

A teacher's distribution says what the truth of one picture cannot: which other colours the thing could have had. Per cell only
its likeliest bins are kept, their probabilities made to sum to one; that is the form in which the truth comes too (`losses`).

On a CPU a teacher is dearer than its student, so its answer is asked for once per picture, for the whole of it, kept on disk
(`Answers`), and cropped and mirrored with the picture from then on. On a GPU it answers each crop anew.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_media.color.spaces import lightness_of_luma, luma_of_rgb
from colorize_media.errors import TrainingProblem
from colorize_media.models import ScenesNet, consensus, load_weights, weights_digest
from colorize_media.network.device import mixed_precision
from colorize_media.training.pictures import Cut, PictureStore

TOP = 8  # bins of a cell that are kept; measured: what share of the probability they hold is in docs/colours.md
SIDE = 128  # px, short side of the whole picture as the teacher sees it: what it learned at
_UNIT = 32  # px; sides are multiples of it, so that no cell of the teacher's grid hangs over
_BINS, _SHARES = np.dtype("<u2"), np.dtype("<f2")


class Answer(NamedTuple):
    """The likeliest bins of each cell and their probabilities, which sum to 1: each ``(B, TOP, h, w)``, or one's without B."""

    bins: Tensor
    shares: Tensor


class Teacher:
    """A network that others learn from, on ``device``, in evaluation mode. Raises WeightsDamaged, TrainingProblem."""

    def __init__(self, weights: Path, device: torch.device, *, softness: float = 1.0) -> None:
        network, _ = load_weights(weights)
        if not isinstance(network, ScenesNet):
            raise TrainingProblem(
                "cannot learn from this network",
                path=weights,
                why=f"a {network.config.kind} gives one colour, not a distribution",
                hint="name the weights of a scenes network as the teacher",
            )
        self.network = network.to(device).to(memory_format=torch.channels_last).requires_grad_(False)
        self.device, self.softness = device, softness
        self.digest = weights_digest(weights)

    @torch.no_grad()
    def answer(self, lightness: Tensor) -> Answer:
        """Of ``lightness (B, 1, H, W)``, L in [0, 100], looked at as it is and mirrored; softened, on the teacher's device."""
        seen = lightness.to(self.device)
        with mixed_precision(self.device):
            looks = [self.network(seen), self.network(seen.flip(-1)).mirrored()]
        logits = consensus(looks).logits
        assert logits is not None
        likeliest, bins = (logits.float() / self.softness).topk(TOP, dim=1)
        return Answer(bins, likeliest.softmax(dim=1))

    def answer_picture(self, rgb: NDArray[np.uint8]) -> Answer:
        """Of a whole picture ``(H, W, 3)`` R'G'B': bins and shares ``(TOP, h, w)`` on the CPU."""
        height, width = (max(_UNIT, round(n * SIDE / min(rgb.shape[:2]) / _UNIT) * _UNIT) for n in rgb.shape[:2])
        small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
        picture = torch.from_numpy(small).movedim(-1, 0)[None].float() / 255.0
        found = self.answer(lightness_of_luma(luma_of_rgb(picture, "bt601")))
        return Answer(found.bins[0].cpu(), found.shares[0].cpu())


class Answers:
    """A teacher's answers of whole pictures, computed when they are first asked for and kept in ``folder``.

    ``answers.bin`` holds one after the other, ``answers.jsonl`` where each lies; a line is written after what it names, so a
    kill leaves at most bytes that nobody names. One process at a time.
    """

    def __init__(self, folder: Path, teacher: Teacher, store: PictureStore) -> None:
        self.teacher, self.store = teacher, store
        about = {"teacher": teacher.digest, "softness": teacher.softness, "top": TOP, "side": SIDE}
        folder.mkdir(parents=True, exist_ok=True)
        self._values, self._index = folder / "answers.bin", folder / "answers.jsonl"
        described = folder / "answers.json"
        if not described.is_file() or json.loads(described.read_text(encoding="utf-8")) != about:
            for file in (self._values, self._index):
                file.unlink(missing_ok=True)
            described.write_text(json.dumps(about), encoding="utf-8")
        self._values.touch()
        self._places: dict[str, tuple[int, int, int]] = {}
        for line in self._whole_lines():
            name, offset, height, width = json.loads(line)
            self._places[name] = (int(offset), int(height), int(width))

    def __len__(self) -> int:
        return len(self._places)

    def of(self, index: int) -> tuple[NDArray[np.uint16], NDArray[np.float16]]:
        """Bins and shares ``(TOP, h, w)`` of one picture of the store."""
        name = self.store.digest(index)
        if name not in self._places:
            self._add(name, self.teacher.answer_picture(self.store.pixels(index)))
        offset, height, width = self._places[name]
        count = TOP * height * width
        with self._values.open("rb") as file:
            file.seek(offset)
            data = file.read(count * (_BINS.itemsize + _SHARES.itemsize))
        bins = np.frombuffer(data, _BINS, count).reshape(TOP, height, width)
        shares = np.frombuffer(data, _SHARES, count, offset=count * _BINS.itemsize).reshape(TOP, height, width)
        return bins, shares

    def of_cuts(self, indices: Sequence[int], cuts: Sequence[Cut], grid: int) -> Answer:
        """Of crops, ``(B, TOP, grid, grid)``: each cell has the answer of the whole picture's cell under its middle."""
        bins = np.empty((len(indices), TOP, grid, grid), np.int64)
        shares = np.empty((len(indices), TOP, grid, grid), np.float32)
        for place, (index, cut) in enumerate(zip(indices, cuts, strict=True)):
            of_bins, of_shares = self.of(index)
            rows, columns = (
                np.minimum(((begin + extent * (np.arange(grid) + 0.5) / grid) * cells).astype(np.int64), cells - 1)
                for begin, extent, cells in zip(cut[:2], cut[2:4], of_bins.shape[1:], strict=True)
            )
            if cut.mirrored:
                columns = columns[::-1]
            bins[place] = of_bins[:, rows[:, None], columns]
            shares[place] = of_shares[:, rows[:, None], columns]
        return Answer(torch.from_numpy(bins), torch.from_numpy(shares))

    def _whole_lines(self) -> list[bytes]:
        """Of the index; what a kill left of a last one is cut off, or the next would be written behind it."""
        if not self._index.is_file():
            return []
        whole, newline, torn = self._index.read_bytes().rpartition(b"\n")
        if torn:
            self._index.write_bytes(whole + newline)
        return whole.splitlines()

    def _add(self, name: str, answer: Answer) -> None:
        height, width = answer.bins.shape[1:]
        with self._values.open("ab") as file:
            offset = file.tell()
            file.write(answer.bins.numpy().astype(_BINS).tobytes() + answer.shares.numpy().astype(_SHARES).tobytes())
        with self._index.open("a", encoding="utf-8") as file:
            file.write(json.dumps([name, offset, height, width]) + "\n")
        self._places[name] = (offset, height, width)
