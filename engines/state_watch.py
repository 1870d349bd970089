"""Watches a network's state: what is not finite, or not plausible, would stay in a recurrent network for ever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engines.contract import Array, peak
from engines.tick_engines import Runner

PLAUSIBLE = 1e6
"""Largest absolute value of a state that a network has with inputs in their ranges; the largest seen is 1,518."""
BYTES_PER_TICK = 131_072
"""Bytes of the state that are looked at in a tick: 20 us on a CPU. The largest network is seen whole in six ticks."""


class StateWatch:
    """Runs a network's ticks, and begins anew when its state or its output cannot be right.

    One part of the state after the other is looked at, and every output of floating point. An output that is not finite
    becomes zeros.

    Args:
        runner: runs the ticks.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._next = 0
        self.on_bad: Callable[[str], None] = lambda what: None

    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output.

        Raises:
            EngineError: when the last runner fails.
        """
        output = self._runner.run(inputs)
        if output.dtype.kind == "f" and not is_plausible(output):
            output = np.zeros_like(output)
            self.on_bad("output")
        elif not self._looks_right():
            self.on_bad("state")
        return output

    def _looks_right(self) -> bool:
        """Whether the next parts of the state are plausible."""
        sizes = self._runner.state_sizes()
        budget = BYTES_PER_TICK
        for _ in sizes:
            index, self._next = self._next % len(sizes), (self._next + 1) % len(sizes)
            if not self._runner.state_peak(index) <= PLAUSIBLE:
                return False
            budget -= sizes[index]
            if budget <= 0:
                break
        return True

    def reset(self) -> None:
        """Back to the initial state."""
        self._runner.reset()

    def state(self) -> list[Array]:
        """The state as it is now, copied."""
        return self._runner.state()

    def load(self, state: Sequence[Array]) -> None:
        """Go on from another runner's state."""
        self._runner.load(state)

    def state_sizes(self) -> Sequence[int]:
        """Bytes of each tensor of the state."""
        return self._runner.state_sizes()

    def state_peak(self, index: int) -> float:
        """The largest absolute value of one tensor of the state; NaN where an element is NaN."""
        return self._runner.state_peak(index)

    def blank(self) -> dict[str, Array]:
        """Inputs of zeros."""
        return self._runner.blank()


def is_plausible(array: Array) -> bool:
    """Whether every element is finite, and at most `PLAUSIBLE` from 0."""
    return peak(array) <= PLAUSIBLE
