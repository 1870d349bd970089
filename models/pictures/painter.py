"""The painter: repairs a warped still, and repaints it as far as `imagination` asks.

A warped still lacks the background behind objects that have moved away, and its edges are smeared. The painter carries
the warped picture, with noise mixed in, to the repaired picture, in one or a few steps along straight paths (flow
matching between two pictures: Liu et al. 2023, "I2SB"; Albergo and Vanden-Eijnden 2023). `imagination` sets how much
noise is mixed in and how coarse the input is. Up to 0.25 there is neither, and the painter only repairs; at 1 it
repaints the picture from the sound.

Its output is added to the warped picture: where nothing needs repair the picture stays the same to the bit.

`models.pictures.pose` estimates from the sound where a player's hands are, given where they are in the still. The
painter's inputs are both places, the still warped with each limb from one place to the other, and the still without
limbs. For each pixel it chooses how much of each to take.

Pictures are squares of `side` pixels, BGR, -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.pictures.film_block import FilmBlock
from models.pictures.limbs import (
    LIMBS,
    JointEstimator,
    carry_limbs,
    erase_limbs,
    limb_distances,
    limb_maps,
    point_maps,
    trunk_length,
)
from models.pictures.pose import points_of_embedding
from models.sizes import Sizes
from models.vision.embedding import POINTS

REPAIR_LIMIT = 0.25
"""Up to this imagination the painter only repairs; beyond it, it may repaint."""
SQUARES, LENGTHS, SLOPES = 2.0, 0.5, 0.5
"""Weights of squared errors; and, in rows that are to be sharp, of absolute errors and of errors of gradients."""
MAX_BLOCK = 8
"""With full imagination the painter's inputs are pixelated in blocks of so many pixels."""


@dataclass(frozen=True)
class PainterConfig(Sizes):
    """The sizes.

    Attributes:
        side: of the square pictures, in pixels.
        patch: pixels along the side of a patch, which becomes one cell.
        latent_dim: width of an audio latent.
        seen_dim: width of the still's embedding.
        points: how many points the embedding begins with; 0 for an embedding without points.
        fine: channels at half the picture's resolution, for edges; 0 for no such level.
        width, inner: channels at the cells' resolution and at half of it.
        blocks: residual blocks at the inner resolution; there is one before and one after them.
        deep: channels at further halvings of the resolution, one block each; they widen the receptive field.
        moment: width of the condition.
        steps: integration steps from the warped picture to the painted one.
    """

    side: int = 128
    patch: int = 4
    latent_dim: int = 128
    seen_dim: int = 128
    points: int = 32
    fine: int = 24
    width: int = 48
    inner: int = 64
    blocks: int = 3
    deep: tuple[int, ...] = (96, 128)
    moment: int = 128
    steps: int = 1


class PainterInputs(NamedTuple):
    """The painter's inputs for one picture, a row each.

    Attributes:
        warped: [N, 3, S, S], the warped picture.
        prior: [N, 3, S, S], the still.
        where: [N, 2, G, G], each cell's source in the still; see `models.pictures.animator`.
        flow: [N, 2, G, G], each cell's velocity.
        heard: [N, latent_dim], the tick's audio latent.
        imagination: [N], 0 repairs, 1 repaints.
        chance: [N], 0 to 1: the share of sampling in the motion. At 0 the painter gives the likeliest picture. Once
            sampling has moved the still away from any real pose, the pose network gives no guidance.
        seen: [N, seen_dim], the still's embedding.
        said: [N, P, 3], the estimated places of the points of `POINTS` now, and their spread; see
            `models.pictures.pose.PointEstimate`. Not used where the configuration has no points.
    """

    warped: Tensor
    prior: Tensor
    where: Tensor
    flow: Tensor
    heard: Tensor
    imagination: Tensor
    chance: Tensor
    seen: Tensor
    said: Tensor


def pixelate(picture: Tensor, how_much: Tensor) -> Tensor:
    """Pictures [N, 3, S, S] with coarser pixels: how_much [N], 0 unchanged, 1 in blocks of `MAX_BLOCK` pixels."""
    blocks = F.interpolate(F.avg_pool2d(picture, MAX_BLOCK), scale_factor=float(MAX_BLOCK), mode="nearest")
    share = how_much[:, None, None, None]
    return (1.0 - share) * picture + share * blocks


def noise_share(imagination: Tensor) -> Tensor:
    """The share of noise in the painter's start, and how far its inputs are pixelated: 0 to 1."""
    return ((imagination - REPAIR_LIMIT) / (1.0 - REPAIR_LIMIT)).clamp(0.0, 1.0)


class Painter(nn.Module):
    """The network; no memory.

    Args:
        config: the sizes.
    """

    def __init__(self, config: PainterConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PainterConfig()
        self.bends = JointEstimator() if config.points else None
        self.choices = len(LIMBS) + 2 if config.points else 0
        condition_channels = 2 * (len(POINTS) + len(LIMBS)) + 3 * self.choices if config.points else 0
        self.enter = nn.Conv2d(9, config.width, config.patch, config.patch)
        self.told = nn.Conv2d(4 + condition_channels, config.width, 1)
        self.moment = nn.Sequential(
            nn.Linear(config.latent_dim + 3, config.moment), nn.GELU(), nn.Linear(config.moment, config.moment)
        )
        self.before, self.after = (FilmBlock(config.width, config.moment) for _ in range(2))
        self.down = nn.Conv2d(config.width, config.inner, 3, 2, 1)
        cells = config.side // (2 * config.patch)
        self.place = nn.Parameter(torch.zeros(config.inner, cells, cells))
        self.inside = nn.ModuleList(FilmBlock(config.inner, config.moment) for _ in range(config.blocks))
        self.up = nn.Conv2d(config.inner, config.width, 1)
        sizes = list(pairwise((config.inner, *config.deep)))
        self.deeper = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in sizes)
        self.deep = nn.ModuleList(FilmBlock(b, config.moment) for _, b in sizes)
        self.higher = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in sizes)
        # Channels of the last level, and how many of the picture's pixels one of its cells spans along a side.
        last, pixels = (config.fine, 2) if config.fine else (config.width, config.patch)
        if config.fine:
            self.look = nn.Conv2d(6, config.fine, 2, 2)
            limb_channels = 3 * self.choices + 2 * len(LIMBS)
            self.look_about = nn.Conv2d(limb_channels, config.fine, 1, bias=False) if config.points else None
            self.looked, self.finish = (FilmBlock(config.fine, config.moment) for _ in range(2))
            self.coarser = nn.Conv2d(config.fine, config.width, config.patch // 2, config.patch // 2)
            nn.init.zeros_(self.coarser.weight)
            self.finer = nn.Conv2d(config.width, config.fine, 1)
        self.leave = nn.Conv2d(last, 3 * pixels * pixels, 3, 1, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)
        # Blending weights at half the picture's resolution: one for each alternative, and last one for the still.
        self.choose = nn.Conv2d(last, (self.choices + 1) * pixels * pixels // 4, 3, 1, 1) if self.choices else None
        if self.choose is not None:
            assert self.choose.bias is not None
            nn.init.normal_(self.choose.weight, std=0.003)
            nn.init.zeros_(self.choose.bias)

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Painter:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(PainterConfig.from_dict(values))

    def begin(self, inputs: PainterInputs, noise: Tensor) -> Tensor:
        """The start of the path: the warped picture with noise [N, 3, S, S] mixed in according to the imagination."""
        share = noise_share(inputs.imagination)[:, None, None, None]
        return (1.0 - share) * inputs.warped + share * noise

    def end_of(self, inputs: PainterInputs, picture: Tensor, share: Tensor, went: Tensor | None = None) -> Tensor:
        """Predict the end of the path of a picture [N, 3, S, S] that is at a share [N] of it: [N, 3, S, S].

        `went`: the points' true displacements from the still, [N, P, 2], known in training only; NaN for rows that do
        not get them.
        """
        how, free = inputs.imagination, noise_share(inputs.imagination)
        base = pixelate(inputs.warped, free)
        still = pixelate(inputs.prior, free)
        fields = torch.cat([8.0 * inputs.where, 2.0 * inputs.flow], 1)
        cells = self.config.side // self.config.patch
        fields = F.interpolate(fields, size=(cells, cells), mode="bilinear", align_corners=False)
        others, condition_maps, limbs = self._limb_choices(inputs, still, went)
        x = self.enter(torch.cat([picture, base, still], 1)) + self.told(torch.cat([fields, *condition_maps], 1))
        scalars = [share[:, None], how[:, None], inputs.chance[:, None]]
        moment = self.moment(torch.cat([inputs.heard, *scalars], -1))
        fine = self._half_resolution(base, still, [others.flatten(1, 2), *limbs], moment)
        if fine is not None:
            x = x + self.coarser(fine)
        x = self.before(x, moment)
        y = self._coarse_levels(self.down(x) + self.place, moment)
        for block in self.inside:
            y = block(y, moment)
        x = x + F.interpolate(self.up(y), scale_factor=2.0, mode="nearest")
        x = self.after(x, moment)
        if fine is not None:
            x = fine + F.interpolate(self.finer(F.gelu(x)), size=fine.shape[-2:], mode="nearest")
            x = self.finish(x, moment)
        x, pixels = F.gelu(x), 2 if fine is not None else self.config.patch
        correction: Tensor = F.pixel_shuffle(self.leave(x), pixels)
        if self.choose is None:
            return base + correction
        weights = F.relu(self.choose(x) if pixels == 2 else F.pixel_shuffle(self.choose(x), pixels // 2))
        # All at half the resolution: the uncertainty of a limb's place blurs it more than that.
        parts = weights / (1.0 + weights.sum(1, keepdim=True))
        of_others = (parts[:, :-1, None] * others).sum(1)
        blend = torch.cat([of_others, parts.sum(1, keepdim=True), parts[:, -1:]], 1)
        blend = F.interpolate(blend, scale_factor=2.0, mode="bilinear", align_corners=False)
        return base * (1.0 - blend[:, 3:4]) + blend[:, :3] + blend[:, 4:] * still + correction

    def _limb_choices(
        self, inputs: PainterInputs, still: Tensor, went: Tensor | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The alternatives [N, choices, 3, S / 2, S / 2]; the condition maps at the cells' resolution; limb maps."""
        if self.bends is None:
            return still[:, None], [], []
        cells = self.config.side // self.config.patch
        before, at, spread = (
            points_of_embedding(inputs.seen, self.config.points),
            inputs.said[..., :2],
            inputs.said[..., 2],
        )
        if went is not None:
            has_displacement = went[..., 0].isfinite()
            at = torch.where(has_displacement[..., None], before + went, at)
            spread = torch.where(has_displacement, torch.zeros_like(spread), spread)
        side = self.config.side // 2
        half = F.avg_pool2d(still, 2)
        joints_before, joints_now = self.bends(before), self.bends(at)
        distances_before, distances_now = (
            limb_distances(joint_points, side) for joint_points in (joints_before, joints_now)
        )
        others = torch.cat(
            [carry_limbs(half, joints_before, joints_now), erase_limbs(half, distances_before, trunk_length(before))], 1
        )
        limbs = [limb_maps(distances_before), limb_maps(distances_now)]
        cell_maps = [F.avg_pool2d(x, self.config.patch // 2) for x in (*limbs, others.flatten(1, 2))]
        return (
            others,
            [point_maps(before, torch.zeros_like(spread), cells), point_maps(at, spread, cells), *cell_maps],
            limbs,
        )

    def _half_resolution(self, base: Tensor, still: Tensor, others: list[Tensor], moment: Tensor) -> Tensor | None:
        """Features at half the picture's resolution, [N, fine, S / 2, S / 2]."""
        if not self.config.fine:
            return None
        x = self.look(torch.cat([base, still], 1))
        if self.look_about is not None:
            x = x + self.look_about(torch.cat(others, 1))
        features: Tensor = self.looked(x, moment)
        return features

    def _coarse_levels(self, x: Tensor, moment: Tensor) -> Tensor:
        """Adds context from coarser resolutions: [N, inner, h, w] -> the same shape."""
        levels = []
        for deeper, block in zip(self.deeper, self.deep, strict=True):
            levels.append(x)
            x = block(deeper(x), moment)
        for higher, above in zip(reversed(self.higher), reversed(levels), strict=True):
            x = above + F.interpolate(higher(x), scale_factor=2.0, mode="nearest")
        return x

    def loss(
        self,
        inputs: PainterInputs,
        target: Tensor,
        noise: Tensor,
        share: Tensor,
        sharp: Tensor,
        went: Tensor | None = None,
    ) -> Tensor:
        """The training loss: the error of the predicted end of the path to the target [N, 3, S, S], per row [N].

        A squared error favours the mean of the possible pictures, which blurs a hand of uncertain place. In rows that
        are `sharp` [N] (1, else 0), absolute errors and errors of gradients count too, to keep edges. `went` is as in
        `end_of`: with the true places the painter learns sooner how to show a limb.
        """
        begin = self.begin(inputs, noise)
        at = share[:, None, None, None]
        picture = (1.0 - at) * begin + at * target
        error = self.end_of(inputs, picture, share, went) - target
        slopes = error.diff(dim=-1).abs().mean((1, 2, 3)) + error.diff(dim=-2).abs().mean((1, 2, 3))
        edges = LENGTHS * error.abs().mean((1, 2, 3)) + SLOPES * slopes
        return SQUARES * error.square().mean((1, 2, 3)) + sharp * edges

    def paint(self, inputs: PainterInputs, noise: Tensor) -> Tensor:
        """The painted picture [N, 3, S, S]."""
        picture = self.begin(inputs, noise)
        for step in range(self.config.steps):
            share = torch.full_like(inputs.imagination, step / self.config.steps)
            picture = picture + (self.end_of(inputs, picture, share) - picture) / (self.config.steps - step)
        return picture.clamp(-1.0, 1.0)
