"""The drive: the sound up to now and what can move -> the forces on each mode's spring in the next 40 ms.

A causal encoder hears the audio latents and the sound's bands and attacks. A head that is the same for all modes reads
from its features, by what a mode is (FiLM, Perez et al. 2018), three forces: a push that is held for the tick, a kick
that changes the velocity at its start, and a bow that feeds the swinging that is there. It says them as a distribution:
with noise it draws from it, without it gives the mean.

The springs themselves are `streaming.scenes.springs`; forces are in their units. A push of 1 displaces a mode by its
reach in the end, a kick of 1 sets it off so fast that it would get about as far undamped.
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

MAX_PUSH, MAX_KICK, MAX_BOW, MAX_SPREAD = 1.5, 2.5, 0.25, 0.5
"""The largest forces and the largest spread of a push."""
KICK_SPREAD = 0.25
"""Spread of a kick, as a share of it."""


@dataclass(frozen=True)
class DriveConfig(Sizes):
    """The sizes.

    Attributes:
        latent_dim: width of an audio latent.
        bands: bands of `streaming.audio.sound_bands`.
        features: numbers that describe a mode, `streaming.scenes.mode_descriptions.MODE_FEATURES`.
        modes: modes at a time.
        width: channels of the encoder.
        levels: its layers, see `models.pictures.sound_encoder.SoundEncoder`.
        inside: channels of the head.
    """

    latent_dim: int = 128
    bands: int = 8
    features: int = 23
    modes: int = 36
    width: int = 96
    levels: tuple[int, ...] = (1, 2, KEEP, 4, 8, KEEP)
    inside: int = 64


class Forces(NamedTuple):
    """Forces on modes, [..., M] each: push and kick, signed; bow, at least 0; spread of the push."""

    push: Tensor
    kick: Tensor
    bow: Tensor
    spread: Tensor


class Drive(nn.Module):
    """Forces on modes from sound. The law of `models.streaming_law` holds; the state depends on the sound alone."""

    def __init__(self, config: DriveConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DriveConfig()
        self.hear = SoundEncoder(config.latent_dim + 2 * config.bands, config.width, config.levels)
        self.heard = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.inside))
        # What is sharp in time goes past the encoder too.
        self.attack = nn.Linear(2 * config.bands, config.inside)
        self.describe = nn.Sequential(nn.Linear(config.features, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU())
        self.turn = nn.Linear(64, 2 * config.inside)
        self.mix = nn.Sequential(nn.Linear(config.inside, config.inside), nn.GELU())
        self.turn_again = nn.Linear(64, 2 * config.inside)
        self.say = nn.Linear(config.inside, 4)
        with torch.no_grad():
            self.say.weight *= 0.1
            self.say.bias.copy_(torch.tensor([0.0, 0.0, -4.0, -2.0]))

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Drive:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(DriveConfig.from_dict(values))

    def init_state(self, batch: int) -> State:
        """The state before the first tick."""
        return self.hear.init_state(batch)

    def step(self, latent: Tensor, bands: Tensor, modes: Tensor, state: State) -> tuple[Forces, State]:
        """A block of ticks.

        Args:
            latent: audio latents [B, T, latent_dim].
            bands: levels and attacks [B, T, 2, bands].
            modes: descriptions [B, M, features]; all 0 where there is no mode, which gets no force.
            state: see `init_state`.

        Returns:
            The forces [B, T, M], and the state.
        """
        bands = bands.flatten(-2)
        x, after = self.hear.step(torch.cat([latent, 4.0 * bands], -1), state)
        x = (self.heard(x) + self.attack(4.0 * bands))[:, :, None]
        mode = self.describe(modes)
        gain, shift = self.turn(mode)[:, None].chunk(2, -1)
        x = self.mix(F.gelu(x * (1.0 + gain) + shift))
        gain, shift = self.turn_again(mode)[:, None].chunk(2, -1)
        push, kick, bow, spread = self.say(F.gelu(x * (1.0 + gain) + shift)).float().unbind(-1)
        there = modes[:, None, :, -1]
        forces = Forces(
            MAX_PUSH * torch.tanh(push / MAX_PUSH) * there,
            MAX_KICK * torch.tanh(kick / MAX_KICK) * there,
            MAX_BOW * torch.sigmoid(bow) * there,
            MAX_SPREAD * torch.sigmoid(spread) * there,
        )
        return forces, after

    def forward(self, latent: Tensor, bands: Tensor, modes: Tensor) -> Forces:
        """The forces for whole clips, from the initial state; see `step`."""
        return self.step(latent, bands, modes, self.init_state(len(latent)))[0]

    def draw(self, forces: Forces, noise: Tensor) -> Tensor:
        """Forces drawn with noise [..., M, 2] of spread 1 (0 for the mean): push, kick and bow, [..., 3, M]."""
        push = forces.push + forces.spread * noise[..., 0]
        kick = forces.kick * (1.0 + KICK_SPREAD * noise[..., 1])
        return torch.stack([push, kick, forces.bow], -2)
