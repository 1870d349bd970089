"""Draws the gestures that a camera would have given for music whose strikes are known.

A live gesture has its strikes at whole ticks, a velocity that is only about right, and a level that is the motion's:
before a strike an arm moves already, and a struck thing rings on after it. No strike is lost and none is added: the
translator must play what it is told, and what is a strike is decided before (`streaming.vision.gestures`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from performers.kinds import PITCH_RANGE
from streaming.conventions import GESTURE, TICKS_PER_SECOND
from streaming.vision.gestures.gesture_names import GESTURE_INDEX, LEVEL_SPAN_DB
from training.datasets.gestures.scored_music import SILENT_DB, ScoredMusic
from training.synthesis.conventions import CLIP_KINDS

STRUCK = tuple(1 + CLIP_KINDS.index(kind) for kind in ("drums", "keys", "dance"))
"""Voices that are struck: their level follows the strikes' motion and not the sound."""
WHOLE_TICKS_SHARE, LATE_SHARE = 0.6, 0.1
"""Share of the rows whose strikes are known to the tick only, and of the strikes that come a token frame late."""
VELOCITY_SPREAD = 0.12
BEFORE_TICKS, AFTER_S = 3, 0.2
"""An arm moves so many ticks before its strike, and comes to rest with that time constant after it."""
HEIGHT_SHARE, HEIGHT_SPREAD = 0.5, 0.05
SOUNDING_DB = -45.0
REACH_TICKS = 6
"""Something moves within so many ticks of a strike."""


def _moved_levels(strikes: Tensor) -> Tensor:
    """The level of an arm's motion about its strikes [B, T]: it rises before them and falls after them."""
    velocity = strikes.amax(2)
    out = torch.zeros_like(velocity)
    for back in range(1, BEFORE_TICKS + 1):
        rise = 1.0 - back / (BEFORE_TICKS + 1.0)
        out[:, :-back] = torch.maximum(out[:, :-back], rise * velocity[:, back:])
    fall = float(np.exp(-1.0 / (AFTER_S * TICKS_PER_SECOND)))
    now = torch.zeros_like(velocity[:, 0])
    for tick in range(velocity.shape[1]):
        now = torch.maximum(now * fall, velocity[:, tick])
        out[:, tick] = torch.maximum(out[:, tick], now)
    return torch.where(out > 0.02, 0.3 + 0.5 * out, 0.0)


def _activity(strikes: Tensor, level_db: Tensor) -> Tensor:
    """1 where something strikes or sounds, exp(-t) after t seconds without either [B, T]."""
    near = torch.nn.functional.max_pool1d(strikes.amax(2)[:, None], 2 * REACH_TICKS + 1, 1, REACH_TICKS)[:, 0] > 0
    moving = near | (level_db > SOUNDING_DB)
    out = torch.zeros_like(level_db)
    now = torch.zeros_like(level_db[:, 0])
    fall = float(np.exp(-1.0 / TICKS_PER_SECOND))
    for tick in range(level_db.shape[1]):
        now = torch.where(moving[:, tick], 1.0, now * fall)
        out[:, tick] = now
    return out


def _told_strikes(strikes: Tensor, rng: np.random.Generator) -> Tensor:
    """Strikes as they are told: about as hard, some late, in most rows at whole ticks [B, T, 2]."""
    batch, length, _ = strikes.shape
    spread = torch.from_numpy(rng.normal(0.0, VELOCITY_SPREAD, strikes.shape).astype(np.float32))
    told = torch.where(strikes > 0, (strikes + spread).clamp(0.05, 1.0), 0.0)
    flat = told.view(batch, -1)
    late = torch.from_numpy(rng.random(flat.shape) < LATE_SHARE) & (flat > 0)
    moved = torch.zeros_like(flat)
    moved[:, 1:] = torch.where(late[:, :-1], flat[:, :-1], 0.0)
    told = torch.maximum(torch.where(late, 0.0, flat), moved).view(batch, length, 2)
    whole = torch.from_numpy(rng.random(batch) < WHOLE_TICKS_SHARE)
    at_ticks = torch.stack([told.amax(2), torch.zeros(batch, length)], 2)
    return torch.where(whole[:, None, None], at_ticks, told)


def draw_gestures(music: ScoredMusic, rows: Tensor, rng: np.random.Generator) -> Tensor:
    """The gestures of whole clips: float32 [B, T, GESTURE], see `streaming.vision.gestures.gesture_names`.

    Args:
        music: the clips.
        rows: which of them, int64 [B].
        rng: random generator.
    """
    strikes, level_db = music.strikes[rows], music.level_db[rows]
    voice, pitch = music.voice[rows], music.pitch[rows]
    batch, length = level_db.shape
    out = torch.zeros(batch, length, GESTURE)
    out[..., :2] = _told_strikes(strikes, rng)
    struck = torch.isin(voice, torch.tensor(STRUCK))
    sounding = (level_db - SILENT_DB) / LEVEL_SPAN_DB
    level = torch.where(struck[:, None], _moved_levels(strikes), sounding)
    bias = torch.from_numpy(rng.normal(0.0, 0.04, (batch, 1)).astype(np.float32))
    wander = torch.from_numpy(rng.normal(0.0, 0.05, level.shape).astype(np.float32))
    out[..., GESTURE_INDEX["level"]] = torch.where(level > 0.02, level + bias + wander, 0.0).clamp(0.0, 1.0)
    out[..., GESTURE_INDEX["activity"]] = _activity(strikes, level_db)
    limits = torch.tensor([PITCH_RANGE.get(CLIP_KINDS[int(one) - 1], (0.0, 127.0)) for one in voice])
    height = (pitch - limits[:, :1]) / (limits[:, 1:] - limits[:, :1])
    height = height + torch.from_numpy(rng.normal(0.0, HEIGHT_SPREAD, height.shape).astype(np.float32))
    known = torch.from_numpy(rng.random((batch, 1)) < HEIGHT_SHARE) & (pitch > 0)
    out[..., GESTURE_INDEX["height"]] = torch.where(known, height.clamp(0.0, 1.0), 0.0)
    out[..., GESTURE_INDEX["height_known"]] = known.float()
    out[..., GESTURE_INDEX["by_gesture"]] = 1.0
    return out
