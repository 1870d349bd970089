"""EfficientNet-Lite0: tells which of ImageNet's 1,000 classes a picture shows, instruments among them.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", 2019; the "lite" variants, by
Google, have ReLU6 in place of swish and no squeeze-and-excitation. The published weights are those of TensorFlow, whose
"same" padding puts the odd pixel of a stride after the picture. Batch norms are folded into the convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPS = 1e-3
SIDE = 224
"""Of the square picture, in pixels."""


class StageShape(NamedTuple):
    """One stage of inverted bottlenecks.

    Attributes:
        blocks: how many; the first one changes stride and width.
        kernel: side of the depthwise convolutions.
        stride: of the first block.
        width: channels that leave it.
        expansion: channels within a block, in multiples of those that enter it.
    """

    blocks: int
    kernel: int
    stride: int
    width: int
    expansion: int


class LiteShape(NamedTuple):
    """The sizes of a network."""

    stem: int
    stages: Sequence[StageShape]
    head: int
    classes: int


LITE0 = LiteShape(
    32,
    (
        StageShape(1, 3, 1, 16, 1),
        StageShape(2, 3, 2, 24, 6),
        StageShape(2, 5, 2, 40, 6),
        StageShape(3, 3, 2, 80, 6),
        StageShape(3, 5, 1, 112, 6),
        StageShape(4, 5, 2, 192, 6),
        StageShape(1, 3, 1, 320, 6),
    ),
    1280,
    1000,
)


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding along one axis, in pixels: (before, after)."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv(nn.Conv2d):
    """A convolution [B, C, H, W] -> [B, D, ceil(H / stride), ceil(W / stride)] with TensorFlow's "same" padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (the base class names it)
        """Pad and convolve."""
        rows, columns = (
            same_padding(int(size), kernel, stride)
            for size, kernel, stride in zip(input.shape[-2:], self.kernel_size, self.stride, strict=True)
        )
        return super().forward(F.pad(input, (*columns, *rows)))


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel by itself, narrow; what enters is added where the shapes allow.

    Args:
        width_in: channels that enter.
        shape: of the stage it is in.
        stride: of its depthwise convolution.
    """

    def __init__(self, width_in: int, shape: StageShape, stride: int) -> None:
        super().__init__()
        inner = width_in * shape.expansion
        self.expand = SameConv(width_in, inner, 1) if shape.expansion > 1 else None
        self.depthwise = SameConv(inner, inner, shape.kernel, stride, groups=inner)
        self.project = SameConv(inner, shape.width, 1)
        self.adds = stride == 1 and width_in == shape.width

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, width, ceil(H / stride), ceil(W / stride)]."""
        y = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.depthwise(y)))
        return x + out if self.adds else out


class EfficientNetLite(nn.Module):
    """The classifier.

    Args:
        shape: its sizes.
    """

    def __init__(self, shape: LiteShape = LITE0) -> None:
        super().__init__()
        self.stem = SameConv(3, shape.stem, 3, 2)
        blocks: list[InvertedBottleneck] = []
        width = shape.stem
        for stage in shape.stages:
            for number in range(stage.blocks):
                blocks.append(InvertedBottleneck(width, stage, stage.stride if number == 0 else 1))
                width = stage.width
        self.blocks = nn.ModuleList(blocks)
        self.head = SameConv(width, shape.head, 1)
        self.classify = nn.Linear(shape.head, shape.classes)

    def forward(self, image: Tensor) -> Tensor:
        """Tell what pictures show.

        Args:
            image: [B, 3, H, W], RGB, (level - 127) / 128 of levels from 0 to 255; 224 x 224 as it was trained.

        Returns:
            [B, classes], odds that sum to 1.
        """
        x = F.relu6(self.stem(image))
        for block in self.blocks:
            x = block(x)
        x = F.relu6(self.head(x)).mean((2, 3))
        odds: Tensor = torch.softmax(self.classify(x), -1)
        return odds


def fold_batch_norm(weight: Tensor, norm: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """A convolution's weight and bias with the batch norm after it folded in.

    Args:
        weight: [D, C, K, K], of a convolution without a bias.
        norm: `weight`, `bias`, `running_mean` and `running_var`, each [D].
    """
    scale = norm["weight"] / torch.sqrt(norm["running_var"] + BATCH_NORM_EPS)
    return weight * scale[:, None, None, None], norm["bias"] - norm["running_mean"] * scale


def load_published(network: EfficientNetLite, published: Mapping[str, Tensor]) -> None:
    """Put published weights, named as in the package `efficientnet_lite_pytorch`, into a network of their shape.

    Raises:
        KeyError: for a weight that is missing.
        ValueError: for one of another shape, or weights that are left over.
    """
    left = {name for name in published if not name.endswith("num_batches_tracked")}

    def take(name: str) -> Tensor:
        left.discard(name)
        return published[name]

    def fill(conv: SameConv, name: str, norm: str) -> None:
        parts = ("weight", "bias", "running_mean", "running_var")
        weight, bias = fold_batch_norm(take(f"{name}.weight"), {part: take(f"{norm}.{part}") for part in parts})
        _copy(conv.weight, weight, name)
        assert conv.bias is not None
        _copy(conv.bias, bias, norm)

    fill(network.stem, "_conv_stem", "_bn0")
    for number, block in enumerate(network.blocks):
        assert isinstance(block, InvertedBottleneck)
        prefix = f"_blocks.{number}."
        if block.expand is not None:
            fill(block.expand, f"{prefix}_expand_conv", f"{prefix}_bn0")
        fill(block.depthwise, f"{prefix}_depthwise_conv", f"{prefix}_bn1")
        fill(block.project, f"{prefix}_project_conv", f"{prefix}_bn2")
    fill(network.head, "_conv_head", "_bn1")
    _copy(network.classify.weight, take("_fc.weight"), "_fc")
    _copy(network.classify.bias, take("_fc.bias"), "_fc")
    if left:
        raise ValueError(f"weights that the network has no place for: {', '.join(sorted(left)[:3])}")


def _copy(to: Tensor, value: Tensor, name: str) -> None:
    if to.shape != value.shape:
        raise ValueError(f"{name} is {tuple(value.shape)}, not {tuple(to.shape)}")
    with torch.no_grad():
        to.copy_(value)
