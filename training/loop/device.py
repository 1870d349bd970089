"""Where a training computes: CPU, one GPU or several, through Accelerate.

`accelerate launch -m training.train …` starts one process per GPU. Each draws its own batches, and gradients are
averaged. Without Accelerate one process trains on the first GPU, or the CPU, in single precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

PRECISIONS = ("no", "bf16", "fp16")


class Device:
    """One process of a training.

    Args:
        precision: of matrix products: "no", "bf16" or "fp16"; "" for bf16 where the GPU supports it, else "no".

    Attributes:
        device: where tensors go.
        rank, world: index of this process, and number of processes.
    """

    def __init__(self, precision: str = "") -> None:
        self._accelerator: Any = None
        try:
            from accelerate import Accelerator
        except ImportError:
            self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            self.rank, self.world = 0, 1
            return
        if not precision:
            precision = "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
        self._accelerator = Accelerator(mixed_precision=precision)
        self.device = self._accelerator.device
        self.rank, self.world = int(self._accelerator.process_index), int(self._accelerator.num_processes)

    @property
    def main(self) -> bool:
        """True in the one process that writes files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which matrix products have the chosen precision."""
        context: AbstractContextManager[Any] = self._accelerator.autocast() if self._accelerator else nullcontext()
        return context

    def main_first(self) -> AbstractContextManager[Any]:
        """A context that the first process enters alone and the others after it: they find what it wrote to disk."""
        context: AbstractContextManager[Any] = (
            self._accelerator.main_process_first() if self._accelerator else nullcontext()
        )
        return context

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Compute gradients, averaged over all processes."""
        if self._accelerator:
            self._accelerator.backward(loss)
        else:
            loss.backward()
        if self.world > 1:
            for parameter in parameters:
                if parameter.requires_grad:
                    # A parameter that this process did not use counts with zero.
                    grad = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
                    parameter.grad = self.sum(grad) / self.world

    def sum(self, x: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        if self.world == 1:
            return x
        total: Tensor = self._accelerator.reduce(x, reduction="sum")
        return total

    def same(self, module: nn.Module) -> None:
        """Copy the first process's tensors to all."""
        if self.world > 1:
            for tensor in module.state_dict().values():
                torch.distributed.broadcast(tensor, 0)
