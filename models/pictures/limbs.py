"""A player's limbs from points: joints, maps of the limbs, and a picture warped with each limb or without limbs.

An arm is two bones: warped as one from shoulder to hand it would leave the elbow behind. The visual network does not
detect elbows and knees: `JointEstimator` estimates them from hands, shoulders, pelvis and feet.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.pictures.pose import MIN_SPREAD
from models.vision.embedding import POINTS

BENDS = {
    "left_elbow": ("left_shoulder", "left_hand"),
    "right_elbow": ("right_shoulder", "right_hand"),
    "left_knee": ("pelvis", "left_foot"),
    "right_knee": ("pelvis", "right_foot"),
}
"""The estimated joints, and the two points that each lies between."""
JOINTS = (*POINTS, *BENDS)
"""All ends of limbs: the detected points, then the estimated joints."""
LIMBS = (
    *(("left_shoulder", "left_elbow"), ("left_elbow", "left_hand"), ("left_hand", "left_tip")),
    *(("right_shoulder", "right_elbow"), ("right_elbow", "right_hand"), ("frog", "right_tip")),
    *(("pelvis", "left_knee"), ("left_knee", "left_foot"), ("pelvis", "right_knee"), ("right_knee", "right_foot")),
    *(("pelvis", "neck"), ("neck", "head")),
)
"""The two joints of each limb. Trunk and head, the last two, are never erased; the others are."""
FREE = 10
"""How many of the limbs, from the first on, can be erased."""
SMALL = 0.03
"""The shortest limb whose direction is used, in -1..1."""
AROUND = 11
"""Side in pixels of the box filter that fills erased places from their surroundings; it is applied twice."""
SLEEVE = 0.25
"""Half the width of an arm with its sleeve, in lengths of the trunk: the width that is erased with it."""
MOST = 3.0
"""The largest factor by which a limb is lengthened or shortened."""
STAYING = (0.33, 0.28)
"""Half the width of the trunk and of the head, in lengths of the trunk."""
NEAREST, FARTHEST = 0.2, 1.0
"""Limits of a trunk's length, in -1..1."""


class JointEstimator(nn.Module):
    """Estimates elbows and knees from the points around them: a small perceptron in lengths of the trunk.

    In space, two bones of known lengths between two known places bend in one way. A picture does not give the depth of
    a hand, so the perceptron learns the likeliest bend from players seen from all sides.
    """

    WIDTH = 96

    def __init__(self) -> None:
        super().__init__()
        sizes = (2 * len(POINTS), self.WIDTH), (self.WIDTH, self.WIDTH), (self.WIDTH, 2 * len(BENDS))
        first, second, last = (nn.Linear(*size) for size in sizes)
        self.think = nn.Sequential(first, nn.GELU(), second, nn.GELU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, points: Tensor) -> Tensor:
        """Points [N, P, 2] of `POINTS` -> joints [N, P + 4, 2] of `JOINTS`; before training, limbs are straight."""
        unit = trunk_length(points)[:, None, None]
        trunk_coordinates = ((points - points[:, POINTS.index("neck"), None]) / unit).clamp(-4.0, 4.0)
        ends = [[POINTS.index(between[end]) for between in BENDS.values()] for end in (0, 1)]
        middle = 0.5 * (points[:, ends[0]] + points[:, ends[1]])
        return torch.cat([points, middle + unit * self.think(trunk_coordinates.flatten(1)).unflatten(-1, (-1, 2))], 1)


def trunk_length(points: Tensor) -> Tensor:
    """The trunks' lengths of players [N, P, 2], limited to `NEAREST`..`FARTHEST`: [N]."""
    long = (points[:, POINTS.index("neck")] - points[:, POINTS.index("pelvis")]).square().sum(-1)
    return long.clamp_min(NEAREST**2).sqrt().clamp_max(FARTHEST)


def point_maps(at: Tensor, spread: Tensor, cells: int) -> Tensor:
    """Points [N, P, 2] with spreads [N, P] as pictures [N, P, cells, cells], 1 where they are."""
    x, y = _from(at, cells)
    away = _over(x.square(), y.square())
    return torch.exp(-away / (2.0 * (spread + MIN_SPREAD).square())[..., None, None])


def limb_distances(at: Tensor, cells: int) -> Tensor:
    """Squared distance of each place from each limb between joints [N, J, 2]: [N, L, cells, cells]."""
    one, other = (at[:, [JOINTS.index(limb[end]) for limb in LIMBS]] for end in (0, 1))
    way = other - one
    length = way.square().sum(-1, keepdim=True)
    x, y = _from(one, cells)
    # Terms that are linear in a place, or sums over its two coordinates, are computed along the sides only.
    away = _over(x.square(), y.square())
    along = _over(x * way[..., :1], y * way[..., 1:])
    length = length[..., None]
    share = (along / length.clamp_min(1e-4)).clamp(0.0, 1.0)
    return away - share * (2.0 * along - share * length)


def limb_maps(away: Tensor, width: float = 2.0 * MIN_SPREAD) -> Tensor:
    """Maps of the limbs from squared distances: 1 on a limb, falling with the distance from it."""
    return torch.exp(-away / (2.0 * width**2))


def _from(places: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Offsets of a picture's columns and rows from places [N, L, 2]: x and y, [N, L, cells] each."""
    lies = (torch.arange(cells, device=places.device, dtype=places.dtype) + 0.5) * (2.0 / cells) - 1.0
    return lies - places[..., :1], lies - places[..., 1:]


def _over(of_x: Tensor, of_y: Tensor) -> Tensor:
    """The outer sum of a term per column [..., cells] and a term per row [..., cells]: [..., cells, cells]."""
    return of_x[..., None, :] + of_y[..., None]


def carry_limbs(picture: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """Warp a picture with each limb: the limb and its surroundings are seen at the limb's new place.

    A limb is rotated, and stretched along its own direction only; beyond its ends the picture keeps its size. A limb
    that is too short to have a direction (see `SMALL`) is only moved.

    Args:
        picture: [N, C, S, S].
        before: the joints in the picture, [N, J, 2].
        now: the joints' new places, [N, J, 2].

    Returns:
        [N, L, C, S, S], for each of `LIMBS`.
    """
    ends = [[JOINTS.index(limb[end]) for limb in LIMBS] for end in (0, 1)]
    (from_one, from_other), (to_one, to_other) = ((at[:, ends[0]], at[:, ends[1]]) for at in (before, now))
    was, becomes = from_other - from_one, to_other - to_one
    long_was, long = (way.square().sum(-1, keepdim=True).clamp_min(1e-6).sqrt() for way in (was, becomes))
    has_direction = torch.minimum(long_was, long) > SMALL
    right = torch.zeros_like(was) + torch.tensor([1.0, 0.0], device=was.device, dtype=was.dtype)
    was, becomes = (
        torch.where(has_direction, way / length, right) for way, length in ((was, long_was), (becomes, long))
    )
    stretch = torch.where(has_direction, (long_was / long).clamp(1.0 / MOST, MOST), torch.ones_like(long))
    x, y = _from(to_one, picture.shape[-1])
    along = _over(x * becomes[..., :1], y * becomes[..., 1:])
    more = (stretch - 1.0)[..., None] * torch.minimum(along.clamp_min(0.0), long[..., None])
    # The rotation from the present direction to the one before: a product of complex numbers.
    turn_x = (was * becomes).sum(-1, keepdim=True)
    turn_y = was[..., 1:] * becomes[..., :1] - was[..., :1] * becomes[..., 1:]
    source_x = _over(x * turn_x + from_one[..., :1], -y * turn_y) + more * was[..., :1, None]
    source_y = _over(x * turn_y + from_one[..., 1:], y * turn_x) + more * was[..., 1:, None]
    return sample_at(picture, source_x, source_y)


def sample_at(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample a picture bilinearly; beyond its edges the edge pixels are repeated.

    Gives the same as `F.grid_sample(padding_mode="border", align_corners=False)`, which takes several times as long in
    ONNX Runtime. Here a table holds each pixel with its three neighbours, so that a place is one look-up.

    Args:
        picture: [N, C, S, S].
        x: places from left to right in -1..1, [N, L, s, s].
        y: places from top to bottom in -1..1, [N, L, s, s].

    Returns:
        [N, L, C, s, s].
    """
    count, channels, side, _ = picture.shape
    column, row = (((at.flatten(1) + 1.0) * (0.5 * side) - 0.5).clamp(0.0, side - 1.0) for at in (x, y))
    left, top = column.floor(), row.floor()
    right, below = (column - left)[:, None], (row - top)[:, None]
    beyond = F.pad(picture, (0, 1, 0, 1), mode="replicate")
    corners = [beyond[..., i : i + side, j : j + side] for i in (0, 1) for j in (0, 1)]
    table = torch.cat(corners, 1).permute(0, 2, 3, 1).reshape(count * side * side, 4 * channels)
    first = torch.arange(count, device=picture.device)[:, None] * (side * side)
    index = first + (top * side + left).long()
    neighbours = table.index_select(0, index.flatten()).view(count, -1, 4 * channels).transpose(1, 2)
    one, two, three, four = neighbours.split(channels, 1)
    above = one + right * (two - one)
    at_places: Tensor = above + below * (three + right * (four - three) - above)
    return at_places.view(count, channels, *x.shape[1:]).transpose(1, 2)


def erase_limbs(picture: Tensor, away: Tensor, unit: Tensor) -> Tensor:
    """A picture without arms and legs, and one without the player, both filled from the surroundings.

    An erased limb in front of the trunk is filled with the clothes around it, any other with the background around it.

    Args:
        picture: [N, 3, S, S].
        away: squared distance of each place from each limb, [N, L, S, S].
        unit: the trunk's length, [N].

    Returns:
        [N, 2, 3, S, S]; unchanged outside the limbs.
    """
    in_units = away / unit.square()[:, None, None, None]
    free = 1.0 - _within(in_units[:, :FREE].amin(1, keepdim=True), SLEEVE)
    chest, head = (_within(in_units[:, FREE + part, None], width) for part, width in enumerate(STAYING))
    ground = free * (1.0 - torch.maximum(chest, head))
    of_chest, of_ground = _about(picture, free * chest), _about(picture, ground)
    behind = of_ground + chest * (of_chest - of_ground)
    without = [some * picture + (1.0 - some) * fill for some, fill in ((free, behind), (ground, of_ground))]
    return torch.stack(without, 1)


def _within(away: Tensor, width: float) -> Tensor:
    """1 within a width of a limb, 0 outside, with a soft edge; `away` is a squared distance."""
    return torch.sigmoid(8.0 * (1.0 - away / width**2))


def _about(picture: Tensor, share: Tensor) -> Tensor:
    """The mean colour around each place of a picture [N, C, S, S], weighted by share [N, 1, S, S]."""
    share = F.relu(share - 0.05)
    around = torch.cat([picture * share, share], 1)
    far = around.mean((2, 3), keepdim=True)
    for _ in range(2):
        around = F.avg_pool2d(around, (AROUND, 1), 1, (AROUND // 2, 0))
        around = F.avg_pool2d(around, (1, AROUND), 1, (0, AROUND // 2))
    around = around + 1e-3 * far
    return around[:, :-1] / (around[:, -1:] + 1e-6)
