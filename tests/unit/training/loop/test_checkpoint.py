"""Training resumes to the same loss."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint


def run(module: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage, steps: range) -> float:
    loss = torch.zeros(())
    for step in steps:
        x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
        loss = (module(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update(module)
    return float(loss)


def build() -> tuple[nn.Module, torch.optim.Optimizer, MovingAverage]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    return module, torch.optim.AdamW(module.parameters(), lr=0.01), MovingAverage(module)


def test_a_resumed_run_is_the_unbroken_run(tmp_path: Path) -> None:
    module, optimizer, average = build()
    whole = run(module, optimizer, average, range(40))

    module, optimizer, first = build()
    run(module, optimizer, first, range(25))
    save_checkpoint(tmp_path / "c.safetensors", 25, module, first, optimizer)

    module, optimizer, second = build()
    assert load_checkpoint(tmp_path / "c.safetensors", module, second, optimizer) == 25
    assert run(module, optimizer, second, range(25, 40)) == whole
    for name, value in average.tensors.items():
        assert torch.equal(second.tensors[name], value)


def test_the_average_follows() -> None:
    module, optimizer, average = build()
    run(module, optimizer, average, range(30))
    weight = module.state_dict()["0.weight"]
    assert not torch.equal(average.tensors["0.weight"], weight)
    for _ in range(20_000):
        average.update(module)
    torch.testing.assert_close(average.tensors["0.weight"], weight)


def test_what_is_not_trained_stays_what_it_is_to_the_bit() -> None:
    module = nn.Linear(4, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[-0.0, 0.1, 1e-7, 3.0], [0.0, -0.3, 2.0, -1e-7]]))
    average = MovingAverage(module)
    for _ in range(50):
        with torch.no_grad():
            module.bias.add_(0.1)
        average.update(module)
    assert average.tensors["weight"].view(torch.int32).equal(module.weight.detach().view(torch.int32))
    assert not average.tensors["bias"].equal(module.bias.detach())
