"""Checkpoints in safetensors: weights, their moving average, optimizer state and step; a resumed run is bit-exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


class MovingAverage:
    """Exponential moving average of a module's tensors: the weights that are shipped.

    Args:
        module: its parameters and floating-point buffers are averaged.
        decay: per step; smaller in the first steps, so that the initial weights are forgotten.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.updates = 0
        self.tensors = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move towards the module's present tensors."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in module.state_dict().items():
            if not value.is_floating_point():
                self.tensors[name].copy_(value)
            elif not torch.equal(self.tensors[name], value):
                # What is not trained stays what it is to the bit, the sign of a zero included: a codec's tokens are
                # known to be the same by the hash of its encoder.
                self.tensors[name].lerp_(value, 1 - decay)


def save_checkpoint(
    path: Path,
    step: int,
    module: nn.Module,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
    extra: dict[str, Tensor] | None = None,
) -> None:
    """Write everything that is needed to resume, atomically; `load_extra` returns the `extra` tensors."""
    tensors: dict[str, Tensor] = {f"model.{k}": v.contiguous() for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.tensors.items()}
    tensors |= {f"extra.{k}": v.contiguous() for k, v in (extra or {}).items()}
    names = {id(p): n for n, p in module.named_parameters()}
    for parameter, slots in optimizer.state.items():
        for slot, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{slot}.{names[id(parameter)]}"] = value.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(
        {k: v.clone() for k, v in tensors.items()},
        part,
        metadata={
            "training": json.dumps({"step": step, "updates": average.updates}),
            "config": json.dumps(_config(module)),
        },
    )
    part.replace(path)


def _config(module: nn.Module) -> Any:
    config: Any = getattr(module, "config", None)
    return config.as_dict() if config is not None else None


def config_of(path: Path) -> Any:
    """The configuration of a checkpoint's module as plain values; None where it has none."""
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata().get("config", "null"))


def step_of(path: Path) -> int:
    """The number of steps after which a checkpoint was written."""
    with safe_open(path, framework="pt") as file:
        return int(json.loads(file.metadata()["training"])["step"])


def averages_of(path: Path) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint: what is shipped."""
    return _part(path, "average.")


def load_extra(path: Path) -> dict[str, Tensor]:
    """The extra tensors of a checkpoint."""
    return _part(path, "extra.")


def _part(path: Path, prefix: str) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        names = [name for name in sorted(file.keys()) if name.startswith(prefix)]
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def load_checkpoint(path: Path, module: nn.Module, average: MovingAverage, optimizer: torch.optim.Optimizer) -> int:
    """Restore what `save_checkpoint` wrote; returns the step."""
    with safe_open(path, framework="pt") as file:
        meta = json.loads(file.metadata()["training"])
        tensors = {key: file.get_tensor(key) for key in sorted(file.keys())}
    module.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    device = next(module.parameters()).device
    average.tensors = {k[8:]: v.to(device) for k, v in tensors.items() if k.startswith("average.")}
    average.updates = int(meta["updates"])
    for name, parameter in module.named_parameters():
        slots = {
            slot: tensors[f"optimizer.{slot}.{name}"].to(device if slot != "step" else "cpu")
            for slot in ("step", "exp_avg", "exp_avg_sq")
            if f"optimizer.{slot}.{name}" in tensors
        }
        if slots:
            optimizer.state[parameter] = slots
    return int(meta["step"])
