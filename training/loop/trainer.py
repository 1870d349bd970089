"""The trainer of a network with one loss: steps, moving average, checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device

Network = TypeVar("Network", bound=nn.Module)


class RateSchedule(Protocol):
    """A recipe with a learning rate for each step."""

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""


class NetworkTrainer(ABC, Generic[Network]):
    """Trains one network with one loss; see `training.loop.run.Training`.

    Args:
        schedule: gives the learning rate.
        model: the network; `averaged_model` makes another one from its `config`.
        device: where to compute; None for one process.
        salt: separates this training's random numbers from those of others.
    """

    def __init__(self, schedule: RateSchedule, model: Network, device: Device | None, salt: int) -> None:
        self._schedule, self._salt = schedule, salt
        self.device = device or Device()
        self.model = model.to(self.device.device)
        self.device.same(self.model)
        self.average = MovingAverage(self.model, 0.998)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02)
        self.step = 0

    @abstractmethod
    def loss(self, rng: np.random.Generator) -> Tensor:
        """The loss of a batch that is drawn from `rng`."""

    def advance(self) -> dict[str, float]:
        """Make one step; returns its loss."""
        rng = np.random.default_rng([self.step, self._salt + self.device.rank])
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        self.model.train()
        with self.device.autocast():
            loss = self.loss(rng)
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, self.model.parameters())
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self._schedule.rate_at(self.step)
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return {"loss": float(loss.detach())}

    def averaged_model(self) -> Network:
        """The network with the moving average of its weights, in evaluation mode."""
        network_class: Any = type(self.model)
        model: Network = network_class(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        return model.eval()

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)
