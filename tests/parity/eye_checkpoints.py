"""Makes checkpoints of EfficientNet-Lite as they are published, and computes their odds batch norm by batch norm."""

from __future__ import annotations

import io
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from models.vision.efficientnet_lite import LiteShape, StageShape

TINY = LiteShape(4, (StageShape(1, 3, 1, 4, 1), StageShape(2, 5, 2, 6, 3)), 8, 10)


def convolutions(shape: LiteShape) -> Iterator[tuple[str, str, tuple[int, int, int], int]]:
    """Name, batch norm, (channels out, channels in, kernel) and stride of every convolution; a 0 in is depthwise."""
    yield "_conv_stem", "_bn0", (shape.stem, 3, 3), 2
    width, number = shape.stem, 0
    for stage in shape.stages:
        for first in [True] + [False] * (stage.blocks - 1):
            prefix, inner = f"_blocks.{number}.", width * stage.expansion
            if stage.expansion > 1:
                yield f"{prefix}_expand_conv", f"{prefix}_bn0", (inner, width, 1), 1
            depthwise = (inner, 0, stage.kernel)
            yield f"{prefix}_depthwise_conv", f"{prefix}_bn1", depthwise, stage.stride if first else 1
            yield f"{prefix}_project_conv", f"{prefix}_bn2", (stage.width, inner, 1), 1
            width, number = stage.width, number + 1
    yield "_conv_head", "_bn1", (shape.head, width, 1), 1


def checkpoint(shape: LiteShape, seed: int = 0) -> dict[str, Tensor]:
    """Random weights of a network, named as the published ones are."""
    draw = torch.Generator().manual_seed(seed)
    found: dict[str, Tensor] = {}
    for name, norm, (wide, narrow, kernel), _ in convolutions(shape):
        inputs = max(narrow, 1)
        weight = torch.randn((wide, inputs, kernel, kernel), generator=draw)
        found[f"{name}.weight"] = weight / (inputs * kernel * kernel) ** 0.5
        found[f"{norm}.weight"] = 1.0 + 0.2 * torch.randn(wide, generator=draw)
        found[f"{norm}.bias"] = 0.5 * torch.randn(wide, generator=draw)
        found[f"{norm}.running_mean"] = 0.3 * torch.randn(wide, generator=draw)
        found[f"{norm}.running_var"] = 0.5 + torch.rand(wide, generator=draw)
        found[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    found["_fc.weight"] = torch.randn((shape.classes, shape.head), generator=draw)
    found["_fc.bias"] = torch.randn(shape.classes, generator=draw)
    return found


def file_of(published: object) -> bytes:
    """What torch writes of it."""
    file = io.BytesIO()
    torch.save(published, file)
    return file.getvalue()


def reference_odds(published: dict[str, Tensor], shape: LiteShape, image: Tensor) -> Tensor:
    """The odds of pictures [B, 3, H, W] by the published form of the network: [B, classes].

    It shares no code with `models.vision.efficientnet_lite`: padding, batch norms and shortcuts are its own.
    """
    x, shortcut = image, image
    for name, norm, (wide, narrow, kernel), stride in convolutions(shape):
        widens = f"{name.removesuffix('_depthwise_conv')}_expand_conv.weight" in published
        if name.endswith("_expand_conv") or (name.endswith("_depthwise_conv") and not widens):
            shortcut = x
        pads = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        x = F.conv2d(F.pad(x, pads), published[f"{name}.weight"], None, stride, groups=wide if narrow == 0 else 1)
        mean, variance = published[f"{norm}.running_mean"], published[f"{norm}.running_var"]
        x = F.batch_norm(x, mean, variance, published[f"{norm}.weight"], published[f"{norm}.bias"], eps=1e-3)
        if not name.endswith("_project_conv"):
            x = F.relu6(x)
        elif x.shape == shortcut.shape:
            x = x + shortcut
    return F.linear(x.mean((2, 3)), published["_fc.weight"], published["_fc.bias"]).softmax(-1)
