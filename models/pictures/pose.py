"""Estimates a player's points from the sound, in the view of the prior image.

The notes determine where the hands are: on which key, how far along the neck. A painter would learn that slowly from
pixels; as points it is learned in minutes. One part follows the body from sound alone, the other projects it into the
still's view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.pictures.sound_encoder import KEEP, SoundEncoder
from models.sizes import Sizes
from models.streaming_law import State
from models.vision.embedding import POINTS

MIN_SPREAD = 0.03
"""The smallest spread of a point's spot in a map, in -1..1."""
MAX_SPREAD = 0.3
"""The largest spread of an estimate, in -1..1."""


@dataclass(frozen=True)
class PoseConfig(Sizes):
    """The sizes.

    Attributes:
        latent_dim: width of an audio latent.
        seen_dim: width of the still's embedding.
        points: how many points the embedding begins with.
        width: channels of the body encoder.
        levels: layers of the body encoder in order: the dilation of a convolution in ticks, or `KEEP` for a memory.
        stroke_width, stroke_levels: the same for the encoder of strokes.
        views: layers that project the body into the still's view.
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
    """The estimated places of `POINTS`: at [..., P, 2], x and y in -1..1, and their spread [..., P]."""

    at: Tensor
    spread: Tensor

    def as_one(self) -> Tensor:
        """As one tensor [..., P, 3]: x, y and spread."""
        return torch.cat([self.at, self.spread[..., None]], -1)


def points_of_embedding(embedding: Tensor, points: int) -> Tensor:
    """The points' places in a still: embeddings [N, E] that begin with `points` points -> [N, P, 2]."""
    count = len(POINTS)
    return torch.stack([embedding[:, :count], embedding[:, points : points + count]], -1)


class _FilmView(nn.Module):
    """Projects the body's features into the still's view (Perez et al. 2018, "FiLM")."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.known = nn.LayerNorm(width)
        self.into, self.turn = nn.Linear(width, 2 * width), nn.Linear(width, 4 * width)
        self.out = nn.Linear(2 * width, width)
        nn.init.zeros_(self.turn.weight)
        nn.init.zeros_(self.turn.bias)

    def forward(self, x: Tensor, still: Tensor) -> Tensor:
        """X [B, T, width], still [B, width]."""
        gain, shift = self.turn(still)[:, None].chunk(2, -1)
        update: Tensor = self.out(F.gelu(self.into(self.known(x)) * (1.0 + gain) + shift))
        return x + update


class PoseEstimator(nn.Module):
    """Estimates the player's points from audio latents and a still's embedding.

    The state depends on the sound alone, so a new still takes effect at once, as if it had been there from the start.
    The law of `models.streaming_law` holds: `forward` of a clip equals `step` of its ticks.

    There are two encoders: one for strokes, trained first to locate the bow, and one for everything else.
    """

    def __init__(self, config: PoseConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PoseConfig()
        width = config.width
        self.strokes = SoundEncoder(config.latent_dim, config.stroke_width, config.stroke_levels)
        self.body = SoundEncoder(config.latent_dim, width, config.levels)
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

    def still_points(self, embedding: Tensor) -> Tensor:
        """The points' places in the still: embeddings [N, seen_dim] -> [N, P, 2]."""
        return points_of_embedding(embedding, self.config.points)

    def init_state(self, batch: int) -> State:
        """The state before the first tick."""
        return (*self.strokes.init_state(batch), *self.body.init_state(batch))

    def listen(self, audio_latents: Tensor, state: State) -> tuple[Tensor, State]:
        """Features of the body's movement: audio latents [B, T, latent_dim] -> [B, T, width]."""
        count = 1 + len(self.strokes.levels)
        strokes, of_strokes = self.strokes.step(audio_latents, state[:count])
        x, of_body = self.body.step(audio_latents, state[count:])
        return x + self.join(strokes), (*of_strokes, *of_body)

    def project(self, x: Tensor, still_embedding: Tensor) -> PointEstimate:
        """Project the body's features x [B, T, width] into a still's view, given its embedding [B, seen_dim].

        Returns:
            The estimate: at [B, T, P, 2], spread [B, T, P].
        """
        still = self.look(still_embedding)
        x = x + self.enter(still)[:, None]
        for view in self.views:
            x = view(x, still)
        offsets, spread_logits = self.say(x).float().split([2 * len(POINTS), len(POINTS)], -1)
        return PointEstimate(
            self.still_points(still_embedding)[:, None] + offsets.unflatten(-1, (-1, 2)),
            MAX_SPREAD * torch.sigmoid(spread_logits),
        )

    def step(self, audio_latents: Tensor, still_embedding: Tensor, state: State) -> tuple[PointEstimate, State]:
        """A block of ticks: audio latents [B, T, latent_dim], still embeddings [B, seen_dim] -> (estimate, state)."""
        x, after = self.listen(audio_latents, state)
        return self.project(x, still_embedding), after

    def forward(self, audio_latents: Tensor, still_embedding: Tensor) -> PointEstimate:
        """The estimate for whole clips, from the initial state."""
        return self.step(audio_latents, still_embedding, self.init_state(len(audio_latents)))[0]

    def loss(self, estimate: PointEstimate, true: Tensor) -> Tensor:
        """The negative log-likelihood of the true points [..., P, 2] (normal, one spread each), their mean [...]."""
        spread = estimate.spread + MIN_SPREAD
        return ((estimate.at - true).square().sum(-1) / (2.0 * spread.square()) + 2.0 * spread.log()).mean(-1)
