"""Lets the translator play the training clips by itself: the history that it will have on stage.

A model that is trained with the true past only learns to continue it and forgets to look. With its own past, right or
wrong, it learns to trust what it sees (scheduled sampling, Bengio et al. 2015; DAgger, Ross et al. 2011).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.translation.translator import Translator, TranslatorInputs
from streaming.conventions import TICKS_PER_SECOND


@torch.inference_mode()
def play(
    model: Translator, latents: Tensor, age: Tensor, voice: Tensor, ahead: Tensor, rng: np.random.Generator
) -> Tensor:
    """Play clips from their start, with only the model's own past.

    Args:
        model: the translator; its training mode is restored.
        latents: video latents [R, T, sight_dim].
        age: age of the newest frame at each tick [R, T], in seconds.
        voice: int64 [R].
        ahead: int64 [R], anticipation in ticks.
        rng: random generator.

    Returns:
        Frames [R, T, *frame_shape], int16 or float16: at tick t, the sound of tick t + ahead.
    """
    training = model.training
    model.eval()
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
        video = TranslatorInputs(
            latents[:, now], age[:, now], time_s, anticipation, voice[:, None], torch.ones_like(anticipation)
        )
        context, state = model.step(previous, known, video, state)
        uniforms = torch.from_numpy(rng.random((count, config.draws), dtype=np.float32)).to(age.device)
        previous = model.draw(context[:, 0], uniforms, temperature)[:, None]
        known = torch.ones_like(known)
        frames.append(previous.to(torch.float16 if config.mel_dim else torch.int16))
    model.train(training)
    return torch.cat(frames, 1)
