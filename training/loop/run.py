"""Runs a training until its last step, a time limit or Ctrl-C; writes checkpoints and curves."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from tqdm import tqdm

from streaming.timing.clock import now_ns


class Training(Protocol):
    """What can be run: each step follows from its number alone, so that an interruption changes nothing.

    Attributes:
        step: steps made so far.
    """

    step: int

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""

    def test(self) -> dict[str, float]:
        """Losses on held-out data; empty for none."""

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""


@dataclass(frozen=True)
class Plan:
    """How long a training runs and how often it logs.

    Attributes:
        steps: steps in all.
        minutes: time limit of this run.
        log_every, save_every: in steps.
        test_every: in steps, 0 for never; a multiple of `log_every`.
        silent: no progress bar and no files, for all processes but the first.
    """

    steps: int
    minutes: float
    log_every: int = 50
    save_every: int = 250
    test_every: int = 0
    silent: bool = False


class Curves:
    """Losses as lines of JSON, and for TensorBoard where it is installed (`tensorboard --logdir WORK/curves`)."""

    def __init__(self, work: Path, name: str) -> None:
        self._file = (work / f"{name}.jsonl").open("a", encoding="utf-8")
        self._board: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        self._board = SummaryWriter(str(work / "curves" / name))

    def add(self, step: int, row: dict[str, float]) -> None:
        """Write one row."""
        self._file.write(json.dumps({"step": step} | row) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, step)

    def sound(self, step: int, name: str, pcm: torch.Tensor, rate: int) -> None:
        """Write a sound [n] for TensorBoard."""
        if self._board is not None:
            self._board.add_audio(name, pcm[None], step, rate)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


class _StopRequest:
    """Ctrl-C asks for a stop after the present step; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _StopRequest:
        try:
            self._before = signal.signal(signal.SIGINT, self._ask)
        except ValueError:  # not the main thread: whoever runs it there stops it otherwise
            self._before = None
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)


def run(training: Training, work: Path, name: str, plan: Plan, listen: Callable[[Curves], None] | None = None) -> Path:
    """Train, resuming from the checkpoint in `work` if there is one.

    Args:
        training: what to run.
        work: folder of the checkpoint, the log and the curves.
        name: of the files.
        plan: how long.
        listen: called at each test, to add sounds to the curves.

    Returns:
        The checkpoint's path.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
    """
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"{name}.safetensors"
    if path.exists():
        training.load(path)
    deadline = now_ns() + int(plan.minutes * 60e9)
    sums: dict[str, float] = {}
    curves = None if plan.silent else Curves(work, name)
    with (
        _StopRequest() as stop,
        tqdm(total=plan.steps, initial=training.step, desc=name, mininterval=5, disable=plan.silent) as bar,
    ):
        while training.step < plan.steps and now_ns() < deadline and not stop.asked:
            for key, value in training.advance().items():
                sums[key] = sums.get(key, 0.0) + value
            bar.update()
            if curves is None:
                continue
            if training.step % plan.log_every == 0:
                row = {key: round(value / plan.log_every, 4) for key, value in sums.items()}
                if plan.test_every and training.step % plan.test_every == 0:
                    row |= {f"test_{key}": value for key, value in training.test().items()}
                    if listen is not None:
                        listen(curves)
                curves.add(training.step, row)
                bar.set_postfix(row)
                sums.clear()
            if training.step % plan.save_every == 0:
                training.save(path)
        if curves is not None:
            training.save(path)
            curves.close()
        if stop.asked:
            raise KeyboardInterrupt
    return path
