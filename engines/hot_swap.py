"""Hot-swaps a network's runner between ticks: upgrades to a faster build, falls back on failure."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engines.contract import Array, EngineError, EngineSpec
from engines.tick_engines import Runner

WARM_UP_TICKS = 3
"""Ticks on zeros that a runner runs before it takes over."""
CHECK_INTERVAL_S = 1.0
"""Seconds between two checks whether a better runner can be opened."""


@dataclass(frozen=True)
class LoadedRunner:
    """A runner that is ready to run, and its spec."""

    runner: Runner
    spec: EngineSpec


class HotSwap:
    """Runs a network's ticks; between two ticks another runner may take over together with the state.

    Args:
        first: the runner to start with.
        others: opens the fallbacks, the best first; the iterator itself reports why one cannot be used.
        tell: takes one line for the user.
    """

    def __init__(self, first: LoadedRunner, others: Iterator[LoadedRunner], tell: Callable[[str], None]) -> None:
        self._now, self._others, self._tell = first, others, tell
        self._successor: LoadedRunner | None = None
        self.on_change: Callable[[EngineSpec], None] = lambda spec: None

    def run(self, inputs: dict[str, Array]) -> Array:
        """Named inputs -> the output.

        Raises:
            EngineError: when the last runner fails.
        """
        successor, self._successor = self._successor, None
        if successor is not None:
            self._take_over(successor, "is ready: it takes over")
        while True:
            try:
                return self._now.runner.run(inputs)
            except EngineError as error:
                other = next(self._others, None)
                if other is None:
                    raise
                self._take_over(other, f"goes on, as {self._now.spec.runtime} fails: {error}")

    def reset(self) -> None:
        """Back to the initial state."""
        self._now.runner.reset()

    def state(self) -> list[Array]:
        """The state as it is now, copied."""
        return self._now.runner.state()

    def load(self, state: Sequence[Array]) -> None:
        """Go on from another runner's state."""
        self._now.runner.load(state)

    def state_sizes(self) -> Sequence[int]:
        """Bytes of each tensor of the state."""
        return self._now.runner.state_sizes()

    def state_peak(self, index: int) -> float:
        """The largest absolute value of one tensor of the state; NaN where an element is NaN."""
        return self._now.runner.state_peak(index)

    def blank(self) -> dict[str, Array]:
        """Inputs of zeros."""
        return self._now.runner.blank()

    def offer(self, successor: LoadedRunner) -> None:
        """Let a warmed-up runner take over before the next tick; safe to call from any thread."""
        self._successor = successor

    def watch(
        self, better: Callable[[EngineSpec], tuple[LoadedRunner | None, bool]], calm: Callable[[], None] = lambda: None
    ) -> None:
        """Check now and then, in a thread, for a better runner, and let it take over.

        Args:
            better: takes the present spec; gives a better runner, None if there is none yet, and whether to go on
                checking.
            calm: called first in that thread, before a runner creates its own threads. A stage's real-time priority is
                for its ticks: the new runner has ordinary priority until the stage is started again.
        """
        threading.Thread(target=_watch_loop, args=(weakref.ref(self), better, calm), daemon=True).start()

    @property
    def spec(self) -> EngineSpec:
        """The spec of the present runner."""
        return self._now.spec

    def _take_over(self, successor: LoadedRunner, why: str) -> None:
        try:
            successor.runner.load(self._now.runner.state())
        except EngineError:
            successor.runner.reset()  # the failed runner's state is lost
        self._now = successor
        spec = successor.spec
        self._tell(f"{spec.network}: {spec.runtime} on {spec.device} {why}")
        self.on_change(spec)


def _watch_loop(
    reference: weakref.ref[HotSwap],
    better: Callable[[EngineSpec], tuple[LoadedRunner | None, bool]],
    calm: Callable[[], None],
) -> None:
    calm()
    pause = threading.Event()
    while not pause.wait(CHECK_INTERVAL_S):
        swap = reference()
        if swap is None:
            return
        try:
            runner, more = better(swap.spec)
            if runner is not None:
                warm_up(runner.runner)
        except EngineError:
            return  # the next `open_engine` reports the reason
        if runner is not None:
            swap.offer(runner)
        if not more:
            return
        del swap, runner


def warm_up(runner: Runner) -> None:
    """Run a runner a few times on zeros, and reset it.

    Raises:
        EngineError: when it cannot run.
    """
    nothing = runner.blank()
    if "temperature" in nothing:
        nothing["temperature"][...] = 1.0  # a divisor
    for _ in range(WARM_UP_TICKS):
        runner.run(nothing)
    runner.reset()
