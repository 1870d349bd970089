"""The example of docs/extending.md: the training of a network that needs none."""

from __future__ import annotations

import torch
from torch import nn

from models.brightness import Brightness
from training.loop.checkpoint import MovingAverage, save_checkpoint
from training.trainer_spec import Trainer, TrainingJob, TrainingResult


def train(job: TrainingJob) -> TrainingResult:
    """Save the mean of all pixels; a real training learns, see the other files of `training/networks/`."""
    network = Brightness({})
    nn.init.constant_(network.weight, 1.0 / network.in_features)
    nn.init.zeros_(network.bias)
    path = job.work / "brightness" / "checkpoint.safetensors"
    save_checkpoint(path, job.steps, network, MovingAverage(network), torch.optim.AdamW(network.parameters()))
    return TrainingResult(path)


TRAINER = Trainer(train)
