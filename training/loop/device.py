"""Where a training computes: CPU, one GPU or several, in the precision that pays there, through Accelerate.

`accelerate launch -m training.train …` starts one process per GPU; each draws its own batches, and gradients are
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
        precision: "no", "bf16" or "fp16" for the matrix products; "" for bf16 where the GPU has it, else "no".

    Attributes:
        device: where tensors go.
        rank, world: which of how many processes this is.
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
        """True in the one process that writes."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """In it, matrix products are in the chosen precision."""
        context: AbstractContextManager[Any] = self._accelerator.autocast() if self._accelerator else nullcontext()
        return context

    def main_first(self) -> AbstractContextManager[Any]:
        """The first process goes in alone, the others when it is out: what it makes on disk they find."""
        context: AbstractContextManager[Any] = (
            self._accelerator.main_process_first() if self._accelerator else nullcontext()
        )
        return context

    def backward(self, loss: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Compute gradients, the mean over all processes."""
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
        """Give every process the first one's tensors."""
        if self.world > 1:
            for tensor in module.state_dict().values():
                torch.distributed.broadcast(tensor, 0)
