"""The example of docs/extending.md: how bright a picture is, said by one number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.sizes import Sizes
from models.tick_modules import Spec, TickModule


@dataclass(frozen=True)
class BrightnessConfig(Sizes):
    """Side of the picture in pixels."""

    side: int = 8


class Brightness(nn.Linear):
    """A weighted mean of the pixels.

    Args:
        sizes: the fields of `BrightnessConfig` that differ from their defaults.
    """

    def __init__(self, sizes: dict[str, int]) -> None:
        config = BrightnessConfig(**sizes)
        super().__init__(config.side**2, 1)
        self.config = config


class BrightnessTick(TickModule):
    """One step: grey uint8 [1, side, side] -> level float32 [1, 1]; there is no state."""

    output = "level"

    def __init__(self, network: Brightness) -> None:
        super().__init__()
        self.network, side = network, network.config.side
        self.inputs = (Spec("grey", (1, side, side), torch.uint8),)

    def forward(self, grey: Tensor) -> tuple[Tensor]:
        """The level of a picture."""
        return (self.network(grey.flatten(1).float() / 255.0),)
