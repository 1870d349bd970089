"""A player's limbs from points: their joints, where they lie in a picture, a picture moved with them or without them.

An arm is two bones: moved as one from shoulder to hand it would leave the elbow behind. Elbows and knees are not
detected: `JointEstimator` estimates them from hands, shoulders, pelvis and feet.
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
"""Joints that are said, and what each lies between."""
JOINTS = (*POINTS, *BENDS)
"""All that limbs lie between: the points that are seen, and then those."""
LIMBS = (
    *(("left_shoulder", "left_elbow"), ("left_elbow", "left_hand"), ("left_hand", "left_tip")),
    *(("right_shoulder", "right_elbow"), ("right_elbow", "right_hand"), ("frog", "right_tip")),
    *(("pelvis", "left_knee"), ("left_knee", "left_foot"), ("pelvis", "right_knee"), ("right_knee", "right_foot")),
    *(("pelvis", "neck"), ("neck", "head")),
)
"""What lies between two joints, and is shown as a line. Trunk and head, the last two, stay; the others come and go."""
FREE = 10
"""So many of them come and go."""
SMALL = 0.03
"""The shortest limb, in -1..1: what is shorter says nothing of a direction."""
AROUND = 11
"""Side in pixels of what lies about a place; it is looked for twice."""
SLEEVE = 0.25
"""Half the width of an arm with what it is dressed in, in lengths of the trunk: so much is cleared away with it."""
MOST = 3.0
"""A limb is made so many times longer or shorter at most."""
STAYING = (0.33, 0.28)
"""Half the width of the trunk and of the head, in lengths of the trunk."""
NEAREST, FARTHEST = 0.2, 1.0
"""What a trunk's length is taken to be at least and at most, in -1..1."""


class JointEstimator(nn.Module):
    """Where elbows and knees are, from the points about them: a small perceptron in lengths of the trunk.

    Two bones of known lengths between two known places bend in one known way, but only in space; a picture has lost how
    far a hand is before the trunk. Players seen from all sides say what is likeliest.
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
        """Points [N, P, 2] of `POINTS` -> joints [N, P + 4, 2] of `JOINTS`; untaught, limbs are straight."""
        unit = trunk_length(points)[:, None, None]
        seen = ((points - points[:, POINTS.index("neck"), None]) / unit).clamp(-4.0, 4.0)
        ends = [[POINTS.index(between[end]) for between in BENDS.values()] for end in (0, 1)]
        middle = 0.5 * (points[:, ends[0]] + points[:, ends[1]])
        return torch.cat([points, middle + unit * self.think(seen.flatten(1)).unflatten(-1, (-1, 2))], 1)


def trunk_length(points: Tensor) -> Tensor:
    """How long the trunk of players [N, P, 2] is taken to be, [N]."""
    long = (points[:, POINTS.index("neck")] - points[:, POINTS.index("pelvis")]).square().sum(-1)
    return long.clamp_min(NEAREST**2).sqrt().clamp_max(FARTHEST)


def point_maps(at: Tensor, spread: Tensor, cells: int) -> Tensor:
    """Points [N, P, 2] with spreads [N, P] as pictures [N, P, cells, cells], 1 where they are."""
    x, y = _from(at, cells)
    away = _over(x.square(), y.square())
    return torch.exp(-away / (2.0 * (spread + MIN_SPREAD).square())[..., None, None])


def limb_distances(at: Tensor, cells: int) -> Tensor:
    """How far each place is from each of the limbs between joints [N, J, 2], squared: [N, L, cells, cells]."""
    one, other = (at[:, [JOINTS.index(limb[end]) for limb in LIMBS]] for end in (0, 1))
    way = other - one
    long = way.square().sum(-1, keepdim=True)
    x, y = _from(one, cells)
    # What is linear in a place, or a sum over its two coordinates, is worked out along the sides alone.
    away = _over(x.square(), y.square())
    along = _over(x * way[..., :1], y * way[..., 1:])
    long = long[..., None]
    share = (along / long.clamp_min(1e-4)).clamp(0.0, 1.0)
    return away - share * (2.0 * along - share * long)


def limb_maps(away: Tensor, width: float = 2.0 * MIN_SPREAD) -> Tensor:
    """Limbs from how far places are away from them, as pictures: 1 on them, less by their sides."""
    return torch.exp(-away / (2.0 * width**2))


def _from(places: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """How far columns and rows of a picture lie from places [N, L, 2]: x and y, [N, L, cells] each."""
    lies = (torch.arange(cells, device=places.device, dtype=places.dtype) + 0.5) * (2.0 / cells) - 1.0
    return lies - places[..., :1], lies - places[..., 1:]


def _over(of_x: Tensor, of_y: Tensor) -> Tensor:
    """A sum of what columns [..., cells] and rows [..., cells] say, at all places: [..., cells, cells]."""
    return of_x[..., None, :] + of_y[..., None]


def carry_limbs(picture: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """A picture carried with each limb: where the limb is now, it and what is about it are seen.

    A limb is turned, and is longer or shorter as it points to who looks at it, but no thicker; what lies beyond its
    ends keeps its size. One without a direction to be seen (see `SMALL`) is only moved.

    Args:
        picture: [N, C, S, S].
        before: the joints in the picture, [N, J, 2].
        now: where they are to be, [N, J, 2].

    Returns:
        [N, L, C, S, S], for each of `LIMBS`.
    """
    ends = [[JOINTS.index(limb[end]) for limb in LIMBS] for end in (0, 1)]
    (from_one, from_other), (to_one, to_other) = ((at[:, ends[0]], at[:, ends[1]]) for at in (before, now))
    was, becomes = from_other - from_one, to_other - to_one
    long_was, long = (way.square().sum(-1, keepdim=True).clamp_min(1e-6).sqrt() for way in (was, becomes))
    seen = torch.minimum(long_was, long) > SMALL
    right = torch.zeros_like(was) + torch.tensor([1.0, 0.0], device=was.device, dtype=was.dtype)
    was, becomes = (torch.where(seen, way / length, right) for way, length in ((was, long_was), (becomes, long)))
    stretch = torch.where(seen, (long_was / long).clamp(1.0 / MOST, MOST), torch.ones_like(long))
    x, y = _from(to_one, picture.shape[-1])
    along = _over(x * becomes[..., :1], y * becomes[..., 1:])
    more = (stretch - 1.0)[..., None] * torch.minimum(along.clamp_min(0.0), long[..., None])
    # Turned from the way it has now to the one it had: as complex numbers, a product.
    turn_x = (was * becomes).sum(-1, keepdim=True)
    turn_y = was[..., 1:] * becomes[..., :1] - was[..., :1] * becomes[..., 1:]
    source_x = _over(x * turn_x + from_one[..., :1], -y * turn_y) + more * was[..., :1, None]
    source_y = _over(x * turn_y + from_one[..., 1:], y * turn_x) + more * was[..., 1:, None]
    return sample_at(picture, source_x, source_y)


def sample_at(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """What is seen of a picture at places between its pixels (bilinear); beyond its edges, what is at these.

    As `F.grid_sample(padding_mode="border", align_corners=False)`, which takes several times as long in ONNX Runtime:
    each pixel is laid beside its three neighbours, so that a place is one look-up.

    Args:
        picture: [N, C, S, S]; nothing is learned through it.
        x: places along it in -1..1, [N, L, s, s].
        y: the same, down it.

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
    found = table.index_select(0, index.flatten()).view(count, -1, 4 * channels).transpose(1, 2)
    one, two, three, four = found.split(channels, 1)
    above = one + right * (two - one)
    at_places: Tensor = above + below * (three + right * (four - three) - above)
    return at_places.view(count, channels, *x.shape[1:]).transpose(1, 2)


def erase_limbs(picture: Tensor, away: Tensor, unit: Tensor) -> Tensor:
    """A picture without the limbs that come and go, and one without the player: in their place what lies about it.

    Behind an arm is what lies about it: of what the player is dressed in before the trunk, else of the ground.

    Args:
        picture: [N, 3, S, S].
        away: how far each place is away from the limbs, [N, L, S, S].
        unit: how long the trunk is, [N].

    Returns:
        [N, 2, 3, S, S]; what is on no limb is as it was.
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
    """1 where it is less far away than a width, away being squared; 0 where it is farther, with a soft edge."""
    return torch.sigmoid(8.0 * (1.0 - away / width**2))


def _about(picture: Tensor, share: Tensor) -> Tensor:
    """What lies about each place of a picture [N, C, S, S], where that counts: share [N, 1, S, S]."""
    share = F.relu(share - 0.05)
    around = torch.cat([picture * share, share], 1)
    far = around.mean((2, 3), keepdim=True)
    for _ in range(2):
        around = F.avg_pool2d(around, (AROUND, 1), 1, (AROUND // 2, 0))
        around = F.avg_pool2d(around, (1, AROUND), 1, (0, AROUND // 2))
    around = around + 1e-3 * far
    return around[:, :-1] / (around[:, -1:] + 1e-6)
