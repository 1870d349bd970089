"""Music for tests: known strikes, and codes that say where they come from."""

from __future__ import annotations

import torch

from streaming.conventions import TOKEN_FRAMES_PER_TICK
from training.datasets.gestures.scored_music import ScoredMusic
from training.synthesis.conventions import CLIP_KINDS, CLIP_TICKS

STRIKES = (50, 100, 150)
"""Ticks with a strike in their second token frame."""


def scored(clips: int = 10) -> ScoredMusic:
    """Clips in all voices; each rests for its first 20 ticks and strikes three times."""
    codes = torch.zeros(clips, CLIP_TICKS, 4, TOKEN_FRAMES_PER_TICK, dtype=torch.int16)
    codes[:, :, 0] = torch.arange(CLIP_TICKS, dtype=torch.int16)[None, :, None]
    codes[:, :, 1] = torch.arange(clips, dtype=torch.int16)[:, None, None]
    strikes = torch.zeros(clips, CLIP_TICKS, TOKEN_FRAMES_PER_TICK)
    strikes[:, list(STRIKES), 1] = 0.7
    level = torch.full((clips, CLIP_TICKS), -60.0)
    level[:, STRIKES[0] :] = -20.0
    pitch = torch.zeros(clips, CLIP_TICKS)
    pitch[:, STRIKES[0] :] = 60.0
    voice = 1 + torch.arange(clips) % len(CLIP_KINDS)
    return ScoredMusic(torch.arange(clips), codes, voice, strikes, level, pitch)
