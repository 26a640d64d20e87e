"""What stages carry from frame to frame, as named arrays: to be written down, and gone on from in another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

State = Mapping[str, NDArray[Any]]


class Stateful(Protocol):
    """A stage that can be left and taken up again."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the frames so far have left behind, as arrays by name."""
        ...

    def restore(self, state: State) -> None:
        """Go on from a `state`, in a fresh stage of the same settings, in another process too."""
        ...


def joined_state(stages: Mapping[str, Stateful]) -> dict[str, NDArray[Any]]:
    """The states of all stages in one, each array under ``STAGE.NAME``."""
    return {f"{stage}.{name}": array for stage in stages for name, array in stages[stage].state().items()}


def restore_joined(stages: Mapping[str, Stateful], state: State) -> None:
    """Give each stage its own of a `joined_state`."""
    for name, stage in stages.items():
        prefix = f"{name}."
        stage.restore({key[len(prefix) :]: array for key, array in state.items() if key.startswith(prefix)})
