"""The painter: repairs a moved still, and re-imagines it as far as `imagination` asks.

A moved still lacks what was hidden in it: where an object has moved away the background is missing, and edges are
smeared. The painter takes the moved picture, with noise mixed in, to the picture that it should be, in one or a few
steps along straight paths (flow matching between two pictures: Liu et al. 2023, "I2SB"; Albergo and Vanden-Eijnden
2023). `imagination` sets how much noise is mixed in and how coarse the input is: up to 0.25 there is neither and the
painter only repairs; at 1 it paints anew, from what is heard.

Its output is what is added to the moved picture: where nothing needs repair the picture stays the same to the bit.

Where a player's hands are is estimated from the sound by `models.pictures.pose`, given where they are in the still. The
painter is shown both places, the still as each limb would carry it from one to the other, and the still without limbs;
for each pixel it chooses how much of each to take.

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
"""Up to this imagination it mends; from here on it is free to paint anew."""
SQUARES, LENGTHS, SLOPES = 2.0, 0.5, 0.5
"""Weights of squared errors; and, of what is to be sharp, of absolute ones and those of gradients."""
MAX_BLOCK = 8
"""With full imagination the painter is shown what it starts from in blocks of so many pixels."""


@dataclass(frozen=True)
class PainterConfig(Sizes):
    """The sizes.

    Attributes:
        side: of the square pictures, in pixels.
        patch: pixels along the side of a patch, which becomes one cell.
        latent_dim: width of an audio latent.
        seen_dim, points: of the embedding of the still, and how many points it begins with; 0 for none that is known.
        fine: channels at half the picture's size, where edges are; 0 for none.
        width, inner: channels at a cell's size and at twice that.
        blocks: residual blocks at the inner size; there is one before and one after them.
        deep: channels at further halvings of the size, one block each: how far the network sees about a cell.
        moment: width of what is known of a moment.
        steps: from the moved picture to the painted one.
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
    """What the painter is given for one picture, a row each.

    Attributes:
        warped: [N, 3, S, S], the moved picture.
        prior: [N, 3, S, S], the still.
        where: [N, 2, G, G], where each cell comes from in the still; see `models.pictures.animator`.
        flow: [N, 2, G, G], how it moves.
        heard: [N, latent_dim], the tick's audio latent.
        imagination: [N], 0 repairs, 1 paints anew.
        chance: [N], 0 to 1: how far sampling has led what is moved. At 0 the painter gives what is likeliest to be
            seen. Once sampling has moved the still away from any real pose, the pose network gives no guidance.
        seen: [N, seen_dim], the still's embedding.
        said: [N, P, 3], where the points of `POINTS` are now, and the spread of that estimate; see
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
    """Pictures [N, 3, S, S] shown coarsely: how_much [N], 0 as they are, 1 in blocks."""
    blocks = F.interpolate(F.avg_pool2d(picture, MAX_BLOCK), scale_factor=float(MAX_BLOCK), mode="nearest")
    share = how_much[:, None, None, None]
    return (1.0 - share) * picture + share * blocks


def noise_share(imagination: Tensor) -> Tensor:
    """How much of what it starts from is noise, and how coarsely the rest is shown: 0 to 1."""
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
        told = 2 * (len(POINTS) + len(LIMBS)) + 3 * self.choices if config.points else 0
        self.enter = nn.Conv2d(9, config.width, config.patch, config.patch)
        self.told = nn.Conv2d(4 + told, config.width, 1)
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
        # What it ends at, and how many of the picture's pixels along a side that is one of.
        last, pixels = (config.fine, 2) if config.fine else (config.width, config.patch)
        if config.fine:
            self.look = nn.Conv2d(6, config.fine, 2, 2)
            chosen = 3 * self.choices + 2 * len(LIMBS)
            self.look_about = nn.Conv2d(chosen, config.fine, 1, bias=False) if config.points else None
            self.looked, self.finish = (FilmBlock(config.fine, config.moment) for _ in range(2))
            self.coarser = nn.Conv2d(config.fine, config.width, config.patch // 2, config.patch // 2)
            nn.init.zeros_(self.coarser.weight)
            self.finer = nn.Conv2d(config.width, config.fine, 1)
        self.leave = nn.Conv2d(last, 3 * pixels * pixels, 3, 1, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)
        # Chosen at half the size of the picture: the others, and last how much of the still itself is taken back.
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

    def begin(self, sitting: PainterInputs, noise: Tensor) -> Tensor:
        """Where the way begins: the moved picture with noise [N, 3, S, S] mixed in as imagination says."""
        share = noise_share(sitting.imagination)[:, None, None, None]
        return (1.0 - share) * sitting.warped + share * noise

    def end_of(self, sitting: PainterInputs, picture: Tensor, share: Tensor, went: Tensor | None = None) -> Tensor:
        """Where the way of a picture [N, 3, S, S] ends that is at a share [N] of it: [N, 3, S, S].

        went: how far points truly went from where they are in the still, [N, P, 2], which no show can tell; NaN for
        rows that are not told.
        """
        how, free = sitting.imagination, noise_share(sitting.imagination)
        base = pixelate(sitting.warped, free)
        still = pixelate(sitting.prior, free)
        fields = torch.cat([8.0 * sitting.where, 2.0 * sitting.flow], 1)
        cells = self.config.side // self.config.patch
        fields = F.interpolate(fields, size=(cells, cells), mode="bilinear", align_corners=False)
        others, told, limbs = self._posed(sitting, still, went)
        x = self.enter(torch.cat([picture, base, still], 1)) + self.told(torch.cat([fields, *told], 1))
        known = [share[:, None], how[:, None], sitting.chance[:, None]]
        moment = self.moment(torch.cat([sitting.heard, *known], -1))
        fine = self._finely(base, still, [others.flatten(1, 2), *limbs], moment)
        if fine is not None:
            x = x + self.coarser(fine)
        x = self.before(x, moment)
        y = self._from_afar(self.down(x) + self.place, moment)
        for block in self.inside:
            y = block(y, moment)
        x = x + F.interpolate(self.up(y), scale_factor=2.0, mode="nearest")
        x = self.after(x, moment)
        if fine is not None:
            x = fine + F.interpolate(self.finer(F.gelu(x)), size=fine.shape[-2:], mode="nearest")
            x = self.finish(x, moment)
        x, pixels = F.gelu(x), 2 if fine is not None else self.config.patch
        added: Tensor = F.pixel_shuffle(self.leave(x), pixels)
        if self.choose is None:
            return base + added
        wish = F.relu(self.choose(x) if pixels == 2 else F.pixel_shuffle(self.choose(x), pixels // 2))
        # All at half the size: a limb that is carried is blurred by where it might be more than by that.
        parts = wish / (1.0 + wish.sum(1, keepdim=True))
        of_others = (parts[:, :-1, None] * others).sum(1)
        taken = torch.cat([of_others, parts.sum(1, keepdim=True), parts[:, -1:]], 1)
        taken = F.interpolate(taken, scale_factor=2.0, mode="bilinear", align_corners=False)
        return base * (1.0 - taken[:, 3:4]) + taken[:, :3] + taken[:, 4:] * still + added

    def _posed(
        self, sitting: PainterInputs, still: Tensor, went: Tensor | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """What can be chosen, [N, choices, 3, S / 2, S / 2]; it and where points were and are, as cells; and limbs."""
        if self.bends is None:
            return still[:, None], [], []
        cells = self.config.side // self.config.patch
        before, at, spread = (
            points_of_embedding(sitting.seen, self.config.points),
            sitting.said[..., :2],
            sitting.said[..., 2],
        )
        if went is not None:
            told = went[..., 0].isfinite()
            at = torch.where(told[..., None], before + went, at)
            spread = torch.where(told, torch.zeros_like(spread), spread)
        side = self.config.side // 2
        half = F.avg_pool2d(still, 2)
        joints, to_be = self.bends(before), self.bends(at)
        was, becomes = (limb_distances(bent, side) for bent in (joints, to_be))
        others = torch.cat([carry_limbs(half, joints, to_be), erase_limbs(half, was, trunk_length(before))], 1)
        limbs = [limb_maps(was), limb_maps(becomes)]
        shrunk = [F.avg_pool2d(x, self.config.patch // 2) for x in (*limbs, others.flatten(1, 2))]
        return (
            others,
            [point_maps(before, torch.zeros_like(spread), cells), point_maps(at, spread, cells), *shrunk],
            limbs,
        )

    def _finely(self, base: Tensor, still: Tensor, others: list[Tensor], moment: Tensor) -> Tensor | None:
        """What is seen at half the picture's size, [N, fine, S / 2, S / 2]."""
        if not self.config.fine:
            return None
        x = self.look(torch.cat([base, still], 1))
        if self.look_about is not None:
            x = x + self.look_about(torch.cat(others, 1))
        seen: Tensor = self.looked(x, moment)
        return seen

    def _from_afar(self, x: Tensor, moment: Tensor) -> Tensor:
        """What lies farther away is seen at smaller sizes and added: [N, inner, h, w] -> the same."""
        levels = []
        for deeper, block in zip(self.deeper, self.deep, strict=True):
            levels.append(x)
            x = block(deeper(x), moment)
        for higher, above in zip(reversed(self.higher), reversed(levels), strict=True):
            x = above + F.interpolate(higher(x), scale_factor=2.0, mode="nearest")
        return x

    def loss(
        self,
        sitting: PainterInputs,
        wanted: Tensor,
        noise: Tensor,
        share: Tensor,
        sharp: Tensor,
        went: Tensor | None = None,
    ) -> Tensor:
        """What is minimized: the error of where the way to the wanted picture [N, 3, S, S] ends, per row [N].

        Squared errors ask for the mean of what may be seen: that is likeliest of a hand that is somewhere. Of what is
        `sharp` [N] (1, else 0), absolute errors count too, and those of gradients: edges are what is missed. `went`
        as in `end_of`: how a limb is to be shown is learned sooner where it is known where it is.
        """
        begin = self.begin(sitting, noise)
        at = share[:, None, None, None]
        picture = (1.0 - at) * begin + at * wanted
        error = self.end_of(sitting, picture, share, went) - wanted
        slopes = error.diff(dim=-1).abs().mean((1, 2, 3)) + error.diff(dim=-2).abs().mean((1, 2, 3))
        edges = LENGTHS * error.abs().mean((1, 2, 3)) + SLOPES * slopes
        return SQUARES * error.square().mean((1, 2, 3)) + sharp * edges

    def paint(self, sitting: PainterInputs, noise: Tensor) -> Tensor:
        """The painted picture [N, 3, S, S]."""
        picture = self.begin(sitting, noise)
        for step in range(self.config.steps):
            share = torch.full_like(sitting.imagination, step / self.config.steps)
            picture = picture + (self.end_of(sitting, picture, share) - picture) / (self.config.steps - step)
        return picture.clamp(-1.0, 1.0)
