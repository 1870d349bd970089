"""The animator: the sound up to now and one still image -> how the still's parts move in the next 40 ms.

A causal, sliding-window transformer takes the audio latents (see `models.translation.latent`) and attends to the
still's features; a small convolutional network then predicts a velocity for each cell. It does not predict the mean of
all motions, which would be close to none: it carries noise to a flow field in a few steps (rectified flow, Liu et al.
2023). Another seed therefore gives another motion for the same music and still. Noise that changes slowly from tick to
tick gives motion that changes slowly.

Fields are float [2, G, G]: velocities, x right and y down, in longer sides of the picture per second, in the square in
whose middle the picture lies. The map gives for each cell the offset of its source in the still, in longer sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.pictures.film_block import FilmBlock
from models.sizes import Sizes
from models.streaming_law import State
from models.translation.attention import WindowAttention, rotary

STEEP = 12.0
"""Velocities are predicted on a scale that is linear up to about 1 / 12 picture per second and logarithmic beyond."""
SMOOTH = 0.1
"""Errors below this count by their square, larger ones by their length, on the scale of `squash`."""
TICK_S = 0.04


@dataclass(frozen=True)
class AnimatorConfig(Sizes):
    """The sizes.

    Attributes:
        latent_dim: width of an audio latent.
        side: side in pixels of the square that the still is fitted into.
        grid: cells of a field along a side; side / 8.
        shown: channels of the still's features.
        widths: channels of the still's convolutions, at a half, a quarter, an eighth and a sixteenth of the side.
        dim, heads, layers: of the transformer.
        window: ticks that the transformer looks back.
        inside: channels of the field network.
        blocks: residual blocks of the field network.
        steps: integration steps from noise to a field.
    """

    latent_dim: int = 128
    side: int = 128
    grid: int = 16
    shown: int = 48
    widths: tuple[int, ...] = (16, 32, 48, 64)
    dim: int = 160
    heads: int = 5
    layers: int = 2
    window: int = 50
    inside: int = 48
    blocks: int = 3
    steps: int = 2


class AnimatorCondition(NamedTuple):
    """The field network's condition at one moment, a row each.

    context [N, dim]; shown [N, shown, G, G], the still's features where the map has moved them; where [N, 2, G, G], the
    map; before [N, 2, G, G], the field of the tick before.
    """

    context: Tensor
    shown: Tensor
    where: Tensor
    before: Tensor


def squash(flow: Tensor) -> Tensor:
    """Velocities on the scale on which they are predicted, about -2 to 2."""
    # The inverse hyperbolic sine, in operations that every runtime has.
    steep = STEEP * flow
    return steep.sign() * torch.log(steep.abs() + (steep * steep + 1.0).sqrt())


def unsquash(field: Tensor) -> Tensor:
    """The inverse of `squash`, limited to about one picture in a tenth of a second."""
    limited = field.clamp(-5.4, 5.4)
    return (limited.exp() - (-limited).exp()) / (2.0 * STEEP)


def warp_features(shown: Tensor, where: Tensor) -> Tensor:
    """Features [N, C, G, G] of a still as its map [N, 2, G, G] has moved them."""
    count, _, rows, columns = shown.shape
    x = (torch.arange(columns, device=shown.device) + 0.5) * (2.0 / columns) - 1.0
    y = (torch.arange(rows, device=shown.device) + 0.5) * (2.0 / rows) - 1.0
    home = torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)], -1).to(shown.dtype)
    source = home.expand(count, rows, columns, 2) + 2.0 * where.permute(0, 2, 3, 1)
    return F.grid_sample(shown, source, mode="bilinear", padding_mode="border", align_corners=False)


class StillEncoder(nn.Module):
    """A still image to features of what could move: uint8 [B, S, S, 3] BGR -> [B, shown, G, G]; run once per still."""

    def __init__(self, config: AnimatorConfig) -> None:
        super().__init__()
        self.config = config
        w = config.widths

        def block(before: int, after: int, stride: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.GELU())

        self.down = nn.ModuleList(block(a, b, 2) for a, b in pairwise((3, *w)))
        self.deep = nn.Sequential(block(w[3], w[3], 1), block(w[3], w[3], 1))
        self.across = nn.Conv2d(w[3], w[2], 1)
        self.last = nn.Sequential(block(w[2], w[2], 1), nn.Conv2d(w[2], config.shown, 1))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        x = image.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        levels = []
        for down in self.down:
            x = down(x)
            levels.append(x)
        up = F.interpolate(self.across(self.deep(levels[3])), scale_factor=2.0, mode="nearest")
        features: Tensor = self.last(levels[2] + up)
        return features


class _Layer(nn.Module):
    """Self-attention over past ticks, cross-attention to the still, and a feed-forward part; pre-norm."""

    def __init__(self, config: AnimatorConfig) -> None:
        super().__init__()
        dim = config.dim
        self.heads = config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.own = WindowAttention(dim, dim, config.heads, config.window)
        self.query, self.out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.keys_values = nn.Linear(config.shown, 2 * dim, bias=False)
        self.feed = nn.Sequential(nn.Linear(dim, 3 * dim), nn.GELU(), nn.Linear(3 * dim, dim))

    def step(self, x: Tensor, cells: Tensor, turns: tuple[Tensor, Tensor], state: State) -> tuple[Tensor, State]:
        """X [B, T, dim], the still's cells [B, M, shown] -> (x, state of three tensors)."""
        batch, length, dim = x.shape
        normalized = self.norms[0](x)
        y, state = self.own.step(normalized, normalized, turns, turns, state)
        x = x + y
        q = self.query(self.norms[1](x)).view(batch, length, self.heads, -1).transpose(1, 2)
        k, v = self.keys_values(cells).view(batch, cells.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        still_context = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, dim)
        x = x + self.out(still_context)
        feed_forward: Tensor = self.feed(self.norms[2](x))
        return x + feed_forward, state


class Animator(nn.Module):
    """The still's encoder, the audio transformer, and the field network.

    Args:
        config: the sizes.
    """

    def __init__(self, config: AnimatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or AnimatorConfig()
        self.eyes = StillEncoder(config)
        self.place = nn.Parameter(torch.randn(config.shown, config.grid // 2, config.grid // 2) * 0.02)
        self.enter = nn.Linear(config.latent_dim, config.dim)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.begin = nn.Conv2d(config.shown + 6, config.inside, 3, 1, 1)
        self.place_of_cell = nn.Parameter(torch.zeros(config.inside, config.grid, config.grid))
        self.how_far = nn.Sequential(nn.Linear(1, 32), nn.GELU(), nn.Linear(32, 32))
        self.blocks = nn.ModuleList(FilmBlock(config.inside, config.dim + 32) for _ in range(config.blocks))
        self.end = nn.Conv2d(config.inside, 2, 3, 1, 1)
        nn.init.zeros_(self.end.weight)

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Animator:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(AnimatorConfig.from_dict(values))

    def init_state(self, batch: int) -> State:
        """Empty windows, three tensors per layer."""
        return tuple(
            tensor
            for layer in self.layers
            for tensor in layer.own.init_state(batch)  # type: ignore[union-attr,operator]
        )

    def turns(self, time_s: Tensor) -> tuple[Tensor, Tensor]:
        """The rotary position encodings of times; see `rotary`."""
        return rotary(time_s, self.config.dim // self.config.heads)

    def step(
        self,
        audio_latents: Tensor,
        time_s: Tensor,
        shown: Tensor,
        state: State,
        turns: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, State]:
        """Advance the transformer by a block of ticks.

        Args:
            audio_latents: [B, T, latent_dim].
            time_s: float64 [B, T], the ticks' times.
            shown: the still's features, [B, shown, G, G], from `eyes`.
            state: from `init_state` or the last step.
            turns: of the ticks' times, where the runtime has no double precision to compute them in; see `turns`.

        Returns:
            Context [B, T, dim] for the field network, and the new state.
        """
        cells = (F.avg_pool2d(shown, 2) + self.place).flatten(2).transpose(1, 2)
        x = self.enter(audio_latents)
        turns = self.turns(time_s) if turns is None else turns
        after: list[Tensor] = []
        for i, layer in enumerate(self.layers):
            x, new = layer.step(x, cells, turns, state[3 * i : 3 * i + 3])  # type: ignore[operator]
            after.extend(new)
        return self.norm(x), tuple(after)

    def forward(self, audio_latents: Tensor, time_s: Tensor, shown: Tensor) -> Tensor:
        """The whole sequence at once: context [B, T, dim]."""
        return self.step(audio_latents, time_s, shown, self.init_state(audio_latents.shape[0]))[0]

    def end_of(self, moment: AnimatorCondition, field: Tensor, share: Tensor) -> Tensor:
        """Predict the end of the path of a field [N, 2, G, G] that is at a share [N] of it: [N, 2, G, G], squashed.

        The network predicts the end and not the direction (Li and He 2025). Most of a picture stands still: the end is
        exactly zero there, while a direction would have to repeat the noise of each cell.
        """
        x = torch.cat([moment.shown, 8.0 * moment.where, squash(moment.before), field], 1)
        x = self.begin(x) + self.place_of_cell
        how = torch.cat([moment.context, self.how_far(share[:, None])], -1)
        for block in self.blocks:
            x = block(x, how)
        out: Tensor = self.end(F.gelu(x))
        return out

    def loss(self, moment: AnimatorCondition, flow: Tensor, noise: Tensor, share: Tensor) -> Tensor:
        """The training loss: the error of the predicted end of the path from noise to the true flow, per row [N].

        Each cell's error counts by its length, smoothed (pseudo-Huber, as in Song and Dhariwal 2023). A squared error
        would favour a little motion everywhere, while most cells stand still.

        flow, noise: [N, 2, G, G]; share [N].
        """
        end = squash(flow)
        at = share[:, None, None, None]
        error = self.end_of(moment, (1.0 - at) * noise + at * end, share) - end
        return ((error.square().sum(1) + SMOOTH**2).sqrt() - SMOOTH).mean((1, 2))

    def sample(self, moment: AnimatorCondition, noise: Tensor) -> Tensor:
        """A field of velocities [N, 2, G, G] from noise of spread 1; less spread gives likelier motion."""
        field = noise
        for step in range(self.config.steps):
            share = field.new_full((field.shape[0],), step / self.config.steps)
            # One step along the straight path to the predicted end; the last step reaches it.
            field = field + (self.end_of(moment, field, share) - field) / (self.config.steps - step)
        return unsquash(field)
