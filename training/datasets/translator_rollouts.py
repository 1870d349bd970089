"""Lets the translator play the training clips by itself: the history that it will have on stage.

A model that is trained with the true past only learns to continue it and forgets to look. With its own past, right or
wrong, it learns to trust what it sees (scheduled sampling, Bengio et al. 2015; DAgger, Ross et al. 2011).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.translation.translator import Translator, TranslatorInputs
from streaming.conventions import TICKS_PER_SECOND
from training.datasets.translator import to_network_dtype


@dataclass(frozen=True)
class SamplingShares:
    """How often each kind of past, view and voice is drawn.

    Attributes:
        hidden: share of the rows whose past is hidden throughout.
        spells: share of the rows whose past is hidden for spells of 8 ticks.
        own: share of the rows with the model's own past, once it has one.
        wrong: share of the ticks with another clip's past.
        blind: share of the rows with no video, for guidance.
        by_name: share of the rows that name their voice though it is the one that is seen.
        other: share of the rows that ask for another voice, where one can play the same notes.
        music: share of the rows that are music with gestures, where there is any.
        named: share of those rows that name their voice, though percussion is what an unknown picture gets.
        depth: share of the ticks whose codes are learned; the depth transformer costs more than the backbone.
        attack: the same for ticks with an onset, which are rare and matter most.
    """

    hidden: float = 0.3
    spells: float = 0.15
    own: float = 0.4
    wrong: float = 0.08
    blind: float = 0.1
    by_name: float = 0.4
    other: float = 0.3
    music: float = 0.5
    named: float = 0.6
    depth: float = 0.15
    attack: float = 0.4


class ClipSpans(NamedTuple):
    """Which stretch of which clips, in which voice: clip, take [B]; ticks of the video and of the audio [B, L]."""

    clip: Tensor
    take: Tensor
    video: Tensor
    audio_ticks: Tensor


class History:
    """The past that the model is shown: the true one, its own, or none.

    Args:
        codes: the frames of the training clips [N, takes, T, ...].
        shares: how often each past is shown.
    """

    def __init__(self, codes: Tensor, shares: SamplingShares) -> None:
        self._codes, self._shares = codes, shares
        self.rollouts = torch.zeros_like(codes)
        self.since = torch.full(codes.shape[:2], -1)

    def remember(self, clip: Tensor, take: Tensor, ahead: Tensor, codes: Tensor) -> None:
        """Store what the model played for clips [R, T, K, 2], with an anticipation in ticks [R]."""
        for row in range(clip.numel()):
            delay = int(ahead[row])
            self.rollouts[clip[row], take[row], delay:] = codes[row, : codes.shape[1] - delay]
        self.since[clip, take] = ahead

    def draw(self, rng: np.random.Generator, spans: ClipSpans) -> tuple[Tensor, Tensor]:
        """The frames before each audio tick [B, L, ...], and where they are known [B, L]."""
        ticks, shares = spans.audio_ticks, self._shares
        batch, length = ticks.shape
        before = (ticks - 1).clamp_min(0)
        previous = self._codes[spans.clip[:, None], spans.take[:, None], before]
        known = (ticks > 0).float()
        chance = rng.random(batch)
        for row in range(batch):
            clip, take = int(spans.clip[row]), int(spans.take[row])
            since = int(self.since[clip, take])
            if chance[row] < shares.hidden:
                known[row] = 0
            elif chance[row] < shares.hidden + shares.spells:
                spell = np.repeat(rng.random(length // 8 + 1) < 0.5, 8)[:length]
                known[row, torch.from_numpy(spell)] = 0
            elif chance[row] < shares.hidden + shares.spells + shares.own and since >= 0:
                previous[row] = self.rollouts[clip, take, before[row]]
                known[row, ticks[row] <= since] = 0
        wrong = torch.from_numpy(rng.random((batch, length)) < shares.wrong)
        donor = torch.from_numpy(rng.integers(0, self._codes.shape[0], int(wrong.sum())))
        total = self._codes.shape[2]
        previous[wrong] = self._codes[donor, 0, torch.from_numpy(rng.integers(0, total, donor.numel()))]
        return to_network_dtype(previous), known


class Shown(NamedTuple):
    """What a model plays by: latents [R, T, sight_dim], their age [R, T] in seconds, gestures [R, T, gesture_dim]."""

    latents: Tensor
    age: Tensor
    gestures: Tensor


@torch.inference_mode()
def play(model: Translator, shown: Shown, voice: Tensor, ahead: Tensor, rng: np.random.Generator) -> Tensor:
    """Play clips from their start, with only the model's own past.

    Args:
        model: the translator; its training mode is restored.
        shown: what it plays by.
        voice: int64 [R].
        ahead: int64 [R], anticipation in ticks.
        rng: random generator.

    Returns:
        Frames [R, T, *frame_shape], int16 or float16: at tick t, the sound of tick t + ahead.
    """
    training = model.training
    model.eval()
    latents, age, gestures = shown
    count, total = age.shape
    config = model.config
    kind = torch.float32 if config.mel_dim else torch.int64
    previous = torch.zeros(count, 1, *config.frame_shape, dtype=kind, device=age.device)
    known = torch.zeros(count, 1, device=age.device)
    anticipation = (ahead / TICKS_PER_SECOND).float()[:, None]
    temperature = torch.from_numpy(rng.uniform(0.7, 1.0, (count, 1)).astype(np.float32)).to(age.device)
    state = model.init_state(count)
    frames = []
    for tick in range(total):
        now = slice(tick, tick + 1)
        time_s = torch.full((count, 1), tick / TICKS_PER_SECOND, dtype=torch.float64, device=age.device)
        seen = torch.ones_like(anticipation)
        told = (latents[:, now], age[:, now], time_s, anticipation, voice[:, None], seen, gestures[:, now])
        video = TranslatorInputs(*told)
        context, state = model.step(previous, known, video, state)
        uniforms = torch.from_numpy(rng.random((count, config.draws), dtype=np.float32)).to(age.device)
        previous = model.draw(context[:, 0], uniforms, temperature)[:, None]
        known = torch.ones_like(known)
        frames.append(previous.to(torch.float16 if config.mel_dim else torch.int16))
    model.train(training)
    return torch.cat(frames, 1)
