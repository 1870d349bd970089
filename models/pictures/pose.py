"""Estimates where a player's points are from what is heard, seen from where the prior image was taken.

What is played determines where the hands are: which key, how far along the neck. A painter would learn that slowly from
pixels; given as points it is learned in minutes. One part follows the body from sound alone, the other projects it into
the still's view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.sizes import Sizes
from models.streaming_law import State
from models.vision.embedding import POINTS

MIN_SPREAD = 0.03
"""A point is shown as a spot of at least this spread, in -1..1."""
MAX_SPREAD = 0.3
"""How unsure it is at most."""
MAX_RETENTION = 0.998
"""Of what is kept at a tick, so much is there at the next at most: half of it after fourteen seconds."""
KEEP = -1
"""In `PoseConfig.levels`: here something is kept."""


@dataclass(frozen=True)
class PoseConfig(Sizes):
    """The sizes.

    Attributes:
        latent_dim: width of an audio latent.
        seen_dim, points: of the embedding of the still, and how many points it begins with.
        width, levels: of what hears the body: how much is known of a tick, and what comes one after the other: how many
            ticks lie between those that are heard together, or `KEEP`.
        stroke_width, stroke_levels: of what hears strokes alone.
        views: how often what was heard is looked at from where the still was taken.
    """

    latent_dim: int = 128
    seen_dim: int = 128
    points: int = 32
    width: int = 128
    levels: tuple[int, ...] = (1, 2, 4, KEEP, 8, KEEP, 16, 32, KEEP, 64)
    stroke_width: int = 96
    stroke_levels: tuple[int, ...] = (1, 2, 4, KEEP, 8, 16, KEEP)
    views: int = 2


class PointEstimate(NamedTuple):
    """Where the points of `POINTS` are: at [..., P, 2], x and y in -1..1, and how unsure that is: spread [..., P]."""

    at: Tensor
    spread: Tensor

    def as_one(self) -> Tensor:
        """As it travels: [..., P, 3], x, y and how unsure that is."""
        return torch.cat([self.at, self.spread[..., None]], -1)


def points_of_embedding(seen: Tensor, points: int) -> Tensor:
    """Where they are in a still: embeddings [N, E] that begin with so many points -> [N, P, 2]."""
    count = len(POINTS)
    return torch.stack([seen[:, :count], seen[:, points : points + count]], -1)


class _DilatedConv(nn.Module):
    """Adds to what is known of a tick what it thinks of that and of two earlier ticks.

    A causal dilated convolution (van den Oord et al. 2016, "WaveNet"). Before the first tick it was as in the first.
    """

    def __init__(self, width: int, apart: int) -> None:
        super().__init__()
        self.apart = apart
        self.known = nn.LayerNorm(width)
        self.now, self.earlier, self.earliest = (nn.Linear(width, width, bias=first) for first in (True, False, False))
        self.out = nn.Linear(width, width)

    def init_state(self, like: Tensor, batch: int) -> Tensor:
        """What was known of earlier ticks, [B, 2 apart, width]."""
        return like.new_zeros(batch, 2 * self.apart, like.shape[-1])

    def step(self, x: Tensor, past: Tensor, fresh: Tensor) -> tuple[Tensor, Tensor]:
        """X [B, T, width], and where nothing was heard yet, fresh [B, 1, 1] -> the same, and what is to be known."""
        known = self.known(x)
        joined = torch.cat([torch.where(fresh, known[:, :1], past), known], 1)
        count = x.shape[1]
        earlier = self.earlier(joined[:, self.apart : self.apart + count])
        thought = F.gelu(self.now(known) + earlier + self.earliest(joined[:, :count]))
        return x + self.out(thought), joined[:, count:]


class _SignedMemory(nn.Module):
    """Adds to what is known of a tick what it has kept of all that was.

    What is kept may change its sign: each number is at every tick multiplied by what is heard to be between -1 and 1,
    and something is added to it. Which way a bow goes turns round with each stroke, and where it is is the sum of its
    strokes; convolutions that hear five seconds at once did not find that (Grazzi et al. 2024, "Unlocking
    state-tracking in linear RNNs through negative eigenvalues"; gates as De et al. 2024, "Griffin").
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.known = nn.LayerNorm(width)
        self.into = nn.Linear(width, 4 * width)
        self.kept = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)
        with torch.no_grad():
            # At first much is kept, some for longer, and little is added.
            self.into.weight[:width] *= 2.0
            self.into.bias[:width] = torch.linspace(1.0, 3.0, width)
            self.into.bias[width : 2 * width] = -2.0

    def init_state(self, like: Tensor, batch: int) -> Tensor:
        """Nothing is kept, [B, width]."""
        return like.new_zeros(batch, like.shape[-1])

    def step(self, x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """X [B, T, width], kept [B, width] -> the same, and what is kept then."""
        stays, share, new, shown = self.into(self.known(x)).chunk(4, -1)
        factors, added, after = MAX_RETENTION * torch.tanh(stays), torch.sigmoid(share) * new, list[Tensor]()
        for factor, more in zip(factors.unbind(1), added.unbind(1), strict=True):
            kept = factor * kept + more
            after.append(kept)
        return x + self.out(self.kept(torch.stack(after, 1)) * F.gelu(shown)), kept


class _FilmView(nn.Module):
    """Looks at what was heard from where a still was taken (Perez et al. 2018, "FiLM")."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.known = nn.LayerNorm(width)
        self.into, self.turn = nn.Linear(width, 2 * width), nn.Linear(width, 4 * width)
        self.out = nn.Linear(2 * width, width)
        nn.init.zeros_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)

    def forward(self, x: Tensor, still: Tensor) -> Tensor:
        """X [B, T, width], still [B, width]."""
        more, moved = self.turn(still)[:, None].chunk(2, -1)
        added: Tensor = self.out(F.gelu(self.into(self.known(x)) * (1.0 + more) + moved))
        return x + added


class BodySoundEncoder(nn.Module):
    """What is made of what is heard, tick by tick; nothing in it knows of a still."""

    def __init__(self, latent_dim: int, width: int, levels: tuple[int, ...]) -> None:
        super().__init__()
        self.hear = nn.Linear(latent_dim, width)
        self.levels = nn.ModuleList(
            _SignedMemory(width) if apart == KEEP else _DilatedConv(width, apart) for apart in levels
        )

    def init_state(self, batch: int) -> State:
        """Nothing was heard yet: a mark [B, 1] that says so, and what each level remembers."""
        like = self.hear.bias
        levels: Any = self.levels
        return (like.new_zeros(batch, 1), *(level.init_state(like, batch) for level in levels))

    def step(self, heard: Tensor, state: State) -> tuple[Tensor, State]:
        """Heard [B, T, latent_dim] -> [B, T, width]."""
        x, after, fresh = self.hear(heard), list[Tensor](), (state[0] == 0.0)[..., None]
        levels: Any = self.levels
        for level, past in zip(levels, state[1:], strict=True):
            x, now = level.step(x, past, fresh) if isinstance(level, _DilatedConv) else level.step(x, past)
            after.append(now)
        return x, (torch.ones_like(state[0]), *after)


class PoseEstimator(nn.Module):
    """From what is heard and a still's embedding to where the player's points are now.

    What is remembered is what was heard alone, so that another still is looked at as if it had always been there. The
    law of `models.streaming_law` holds: `forward` of a clip is `step` of its ticks.

    Two listen: one to strokes alone, which is taught where a bow is before all else, and one to all the rest.
    """

    def __init__(self, config: PoseConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PoseConfig()
        width = config.width
        self.strokes = BodySoundEncoder(config.latent_dim, config.stroke_width, config.stroke_levels)
        self.body = BodySoundEncoder(config.latent_dim, width, config.levels)
        self.join = nn.Sequential(nn.LayerNorm(config.stroke_width), nn.Linear(config.stroke_width, width))
        self.look = nn.Sequential(nn.Linear(config.seen_dim, width), nn.GELU(), nn.Linear(width, width))
        self.enter = nn.Linear(width, width)
        self.views = nn.ModuleList(_FilmView(width) for _ in range(config.views))
        self.say = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3 * len(POINTS)))
        for parameter in self.say[-1].parameters():
            nn.init.zeros_(parameter)

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> PoseEstimator:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(PoseConfig.from_dict(values))

    def still_points(self, seen: Tensor) -> Tensor:
        """Where they are in the still: embeddings [N, seen_dim] -> [N, P, 2]."""
        return points_of_embedding(seen, self.config.points)

    def init_state(self, batch: int) -> State:
        """Nothing was heard yet."""
        return (*self.strokes.init_state(batch), *self.body.init_state(batch))

    def listen(self, heard: Tensor, state: State) -> tuple[Tensor, State]:
        """What the body does: heard [B, T, latent_dim] -> [B, T, width]."""
        count = 1 + len(self.strokes.levels)
        strokes, of_strokes = self.strokes.step(heard, state[:count])
        x, of_body = self.body.step(heard, state[count:])
        return x + self.join(strokes), (*of_strokes, *of_body)

    def seen_from(self, x: Tensor, seen: Tensor) -> PointEstimate:
        """How that looks: x [B, T, width], seen [B, seen_dim] -> at [B, T, P, 2], spread [B, T, P]."""
        still = self.look(seen)
        x = x + self.enter(still)[:, None]
        for view in self.views:
            x = view(x, still)
        moved, unsure = self.say(x).float().split([2 * len(POINTS), len(POINTS)], -1)
        return PointEstimate(
            self.still_points(seen)[:, None] + moved.unflatten(-1, (-1, 2)), MAX_SPREAD * torch.sigmoid(unsure)
        )

    def step(self, heard: Tensor, seen: Tensor, state: State) -> tuple[PointEstimate, State]:
        """Some ticks: heard [B, T, latent_dim], seen [B, seen_dim] -> at [B, T, P, 2], spread [B, T, P]; the state."""
        x, after = self.listen(heard, state)
        return self.seen_from(x, seen), after

    def forward(self, heard: Tensor, seen: Tensor) -> PointEstimate:
        """The same of whole clips, from where nothing was heard."""
        return self.step(heard, seen, self.init_state(len(heard)))[0]

    def loss(self, said: PointEstimate, true: Tensor) -> Tensor:
        """How unlikely the true points [..., P, 2] are (normal, with a spread each), the mean over them [...]."""
        spread = said.spread + MIN_SPREAD
        return ((said.at - true).square().sum(-1) / (2.0 * spread.square()) + 2.0 * spread.log()).mean(-1)
