"""Running a training: it ends when it should, saves, goes on, draws curves, and Ctrl-C loses nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device
from training.loop.run import Plan, run


class Counting:
    """A training whose loss is its step."""

    def __init__(self, interrupt_at: int = -1) -> None:
        self.step = 0
        self.model = nn.Linear(1, 1)
        self.average = MovingAverage(self.model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self._interrupt_at = interrupt_at

    def advance(self) -> dict[str, float]:
        self.step += 1
        if self.step == self._interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        return {"loss": float(self.step)}

    def test(self) -> dict[str, float]:
        return {"loss": -1.0}

    def save(self, path: Path) -> None:
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)


def rows(work: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (work / "n.jsonl").read_text().splitlines()]


def test_it_runs_to_the_end_and_goes_on_from_there(tmp_path: Path) -> None:
    assert run(Counting(), tmp_path, "n", Plan(20, 1.0, log_every=5, save_every=10, test_every=10)).exists()
    assert rows(tmp_path)[-1] == {"step": 20, "loss": 18.0, "test_loss": -1.0}
    assert "test_loss" not in rows(tmp_path)[0]
    again = Counting()
    run(again, tmp_path, "n", Plan(25, 1.0, log_every=5))
    assert again.step == 25
    assert [row["step"] for row in rows(tmp_path)] == [5, 10, 15, 20, 25]


def test_the_deadline_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    path = run(Counting(), tmp_path, "n", Plan(10**9, 0.005))
    after = Counting()
    after.load(path)
    assert 0 < after.step < 10**9


def test_ctrl_c_ends_it_after_the_step_and_saves(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(Counting(interrupt_at=7), tmp_path, "n", Plan(100, 1.0))
    after = Counting()
    after.load(tmp_path / "n.safetensors")
    assert after.step == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_curves_are_written_for_tensorboard(tmp_path: Path) -> None:
    run(Counting(), tmp_path, "n", Plan(10, 1.0, log_every=5))
    assert list((tmp_path / "curves" / "n").glob("events.*"))


def test_a_process_alone_computes_its_own_gradients() -> None:
    device = Device("no")
    assert (device.rank, device.world, device.main) == (0, 1, True)
    model = nn.Linear(2, 1)
    with device.autocast():
        loss = model(torch.ones(1, 2)).sum()
    device.backward(loss, model.parameters())
    assert model.weight.grad is not None
    torch.testing.assert_close(model.weight.grad, torch.ones(1, 2))
    torch.testing.assert_close(device.sum(torch.tensor([2.0])), torch.tensor([2.0]))


TWO = """
import os, torch
from torch import nn
from training.loop.device import Device
device = Device("no")
torch.manual_seed(device.rank)
model = nn.Linear(2, 1)
device.same(model)
loss = model(torch.full((1, 2), 1.0 + device.rank)).sum()
device.backward(loss, model.parameters())
print(device.rank, device.world, model.weight.grad.tolist()[0], round(float(model.weight.sum()), 6), flush=True)
"""


def test_two_processes_have_the_same_weights_and_the_mean_gradient(tmp_path: Path) -> None:
    import socket
    import subprocess
    import sys

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parents[4]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TWO],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "ACCELERATE_USE_CPU": "true",
                "OMP_NUM_THREADS": "1",
            },
        )
        for rank in range(2)
    ]
    lines = sorted(process.communicate(timeout=120)[0].strip() for process in processes)
    assert lines[0].startswith("0 2 [1.5, 1.5]"), lines
    assert lines[1].startswith("1 2 [1.5, 1.5]"), lines
    assert lines[0].split()[-1] == lines[1].split()[-1], "the same weights"
