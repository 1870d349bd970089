"""Two-frame flow networks for tests: RAFT-small in full, as its paper has it, and small ones that are exact."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARAMETERS = 990_162
"""Of RAFT-small."""


class Bottleneck(nn.Module):
    """A residual block through a quarter of the channels."""

    def __init__(self, wide_in: int, wide: int, stride: int, norm: type[nn.Module]) -> None:
        super().__init__()
        thin = wide // 4
        self.way = nn.Sequential(
            *(nn.Conv2d(wide_in, thin, 1), norm(thin), nn.ReLU()),
            *(nn.Conv2d(thin, thin, 3, stride, 1), norm(thin), nn.ReLU()),
            *(nn.Conv2d(thin, wide, 1), norm(wide), nn.ReLU()),
        )
        self.past = nn.Sequential(nn.Conv2d(wide_in, wide, 1, stride), norm(wide)) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.past(x) + self.way(x))


class NoNorm(nn.Identity):
    """Takes a number of channels, as the others do."""


def encoder(dim: int, norm: type[nn.Module]) -> nn.Sequential:
    sizes = ((32, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 96, 2), (96, 96, 1))
    blocks = [Bottleneck(before, wide, stride, norm) for before, wide, stride in sizes]
    return nn.Sequential(nn.Conv2d(3, 32, 7, 2, 3), norm(32), nn.ReLU(), *blocks, nn.Conv2d(96, dim, 1))


class RaftSmall(nn.Module):
    """RAFT-small (Teed and Deng 2020): two frames float32 [B, 3, H, W], 0 to 255 RGB -> its last flow [B, 2, H, W].

    Args:
        rounds: how often the flow is improved; the weights are the same.
    """

    LEVELS, RADIUS, HIDDEN, CONTEXT = 4, 3, 96, 64

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.features = encoder(128, nn.InstanceNorm2d)
        self.context = encoder(self.HIDDEN + self.CONTEXT, NoNorm)
        self.matched = nn.Conv2d(self.LEVELS * (2 * self.RADIUS + 1) ** 2, 96, 1)
        self.moved = nn.Sequential(nn.Conv2d(2, 64, 7, 1, 3), nn.ReLU(), nn.Conv2d(64, 32, 3, 1, 1), nn.ReLU())
        self.motion = nn.Conv2d(128, 80, 3, 1, 1)
        width = self.HIDDEN + self.CONTEXT + 82
        self.keep, self.reset, self.new = (nn.Conv2d(width, self.HIDDEN, 3, 1, 1) for _ in range(3))
        self.head = nn.Sequential(nn.Conv2d(self.HIDDEN, 128, 3, 1, 1), nn.ReLU(), nn.Conv2d(128, 2, 3, 1, 1))

    def forward(self, previous: Tensor, current: Tensor) -> Tensor:
        first, second = (2 * (frame / 255.0) - 1.0 for frame in (previous, current))
        pyramid = self.pyramid(self.features(first), self.features(second))
        hidden, context = self.context(first).split((self.HIDDEN, self.CONTEXT), 1)
        hidden, context = hidden.tanh(), context.relu()
        rows, columns = hidden.shape[-2:]
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        start = torch.stack((x, y)).float()[None]
        flow = torch.zeros_like(start)
        for _ in range(self.rounds):
            seen = F.relu(self.matched(self.look_up(pyramid, start + flow)))
            motion = F.relu(self.motion(torch.cat((seen, self.moved(flow)), 1)))
            given = torch.cat((context, motion, flow), 1)
            both = torch.cat((hidden, given), 1)
            keep, reset = self.keep(both).sigmoid(), self.reset(both).sigmoid()
            hidden = (1 - keep) * hidden + keep * self.new(torch.cat((reset * hidden, given), 1)).tanh()
            flow = flow + self.head(hidden)
        return 8 * F.interpolate(flow, scale_factor=8, mode="bilinear", align_corners=True)

    def pyramid(self, first: Tensor, second: Tensor) -> list[Tensor]:
        dim, rows, columns = first.shape[1:]
        products = first.flatten(2).transpose(1, 2) @ second.flatten(2) / dim**0.5
        levels = [products.reshape(rows * columns, 1, rows, columns)]
        for _ in range(self.LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels

    def look_up(self, pyramid: list[Tensor], where: Tensor) -> Tensor:
        _, _, rows, columns = where.shape
        step = torch.arange(-self.RADIUS, self.RADIUS + 1).float()
        around = torch.stack(torch.meshgrid(step, step, indexing="ij"), -1)[None]
        middle = where.permute(0, 2, 3, 1).reshape(rows * columns, 1, 1, 2)
        seen = []
        for level, products in enumerate(pyramid):
            size = torch.tensor([products.shape[-1] - 1, products.shape[-2] - 1]).float()
            at = 2 * (middle / 2**level + around) / size - 1
            found = F.grid_sample(products, at, align_corners=True)
            seen.append(found.reshape(1, rows, columns, -1))
        return torch.cat(seen, -1).permute(0, 3, 1, 2)


class Together(nn.Module):
    """FastFlowNet's inputs and outputs: frames [1, 6, H, W] in, twentieths of the flow at a quarter of the size out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(6, 32, 7, 4, 3), nn.Conv2d(32, 2, 3, 1, 1)

    def forward(self, frames: Tensor) -> Tensor:
        found: Tensor = self.second(F.leaky_relu(self.first(frames), 0.1))
        return found


class Says(nn.Module):
    """Says the mean of chosen channels of the previous and the current frame as a flow, at a part of the size."""

    def __init__(self, previous: int, current: int, part: int) -> None:
        super().__init__()
        self.previous, self.current, self.part = previous, current, part

    def forward(self, previous: Tensor, current: Tensor) -> Tensor:
        x, y = previous[:, self.previous : self.previous + 1], current[:, self.current : self.current + 1]
        return F.avg_pool2d(torch.cat((x, y), 1), self.part)


def to_onnx(network: nn.Module, *examples: Tensor, fixed: bool = False) -> bytes:
    """A network as an ONNX file; its height and width stay open unless `fixed`."""
    names = [f"image{number}" for number in range(1, len(examples) + 1)]
    free = {} if fixed else {name: {2: "height", 3: "width"} for name in (*names, "flow")}
    file = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            examples,
            cast("Any", file),  # torch takes a file too, whatever its annotation says
            input_names=names,
            output_names=["flow"],
            opset_version=17,
            dynamic_axes=free,
            dynamo=False,
        )
    return file.getvalue()
