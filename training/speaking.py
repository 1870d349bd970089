"""How a decoder that speaks with oscillators is judged: by the sound's spectrum, and by which oscillators are on.

The mel distance makes the sound's envelope right; it hardly cares for pitch, since its bands are wider than a semitone,
and alone it gave a codec of noise and of chords that never change. So the decoder's places are drawn to those of the
sound itself, looked at with a window that also sees what comes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from models.analysis import QUIET, WINDOW, Places
from models.partials import PartialsDecoder
from models.synthesis import Levels
from training.device import Device
from training.spectral import mel_distance


class Judged(NamedTuple):
    """The mel distance, and the squared error of the places summed over the channels; means over the batch."""

    mel: Tensor
    place: Tensor


class Judge:
    """Lets a decoder speak and compares what it says with what was heard.

    Args:
        decoder: who speaks.
        device: where.
    """

    def __init__(self, decoder: PartialsDecoder, device: Device) -> None:
        self.decoder, self.device = decoder, device
        self._places = Places(torch.hann_window(WINDOW, dtype=torch.float64)).to(device.device)

    def __call__(self, latents: Tensor, x: Tensor, frame: int) -> Judged:
        """Latents [B, D, T] of sound x [B, 1, 640 T]; the noise begins at a frame's number."""
        with self.device.autocast():
            state = self.decoder.init_state(latents.shape[0], frame)
            said, _ = self.decoder.say(latents, state[:-3])
        # Phases need single precision.
        levels = Levels(*(part.float() for part in said.levels))
        y, _ = self.decoder.synthesizer.step(levels, state[-3:])
        true, level = self.true_places(x)
        squares = (level > 1.5 * QUIET).float() * (said.places.float() - true).square()
        return Judged(mel_distance(y[:, 0], x[:, 0]), squares.sum(-1).mean())

    @torch.no_grad()
    def true_places(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Places and level, each [B, 2 T, ...], centred on the end of each hop, where amplitudes arrive."""
        places: tuple[Tensor, Tensor] = self._places(F.pad(x[:, 0], (WINDOW // 2, WINDOW // 2)))
        return places
