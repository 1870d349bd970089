"""Rolls a trained animator out on many clips at once: how each still is warped until the end of its clip.

The painter that ships has learned to repair what the animator's motion leaves, and that is not the players' own. The
steps are those of the shows of that time: correlated noise, the animator's own previous field, and an anchored map.
With little chance, what the player truly looked like can be the painter's target. Once much chance has moved a hand
away from any real pose there is no such picture, and the target is the warped still itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from models.pictures.animator import TICK_S, Animator, AnimatorCondition, warp_features
from streaming.audio.levels import Loudness
from training.datasets.animator import STARTS, MotionClips
from training.networks.pictures.animator import advance_map

NOISE_CORRELATION = 0.85
"""Correlation of the noise in one tick with that in the next."""
SOFT_SPREAD, LOUD_SPREAD = 0.5, 1.25
"""Scale of the noise when nothing is heard, and at the greatest loudness; 1 as in the animator's training."""
ANCHORING = 0.5, 2.0
"""Range of the rate at which the map decays, 1/s."""
LITTLE_CHANCE, MUCH_CHANCE = 0.5, 0.8
"""Largest chance of a faithful rollout, and smallest of a free one, as shares of a show's."""
ROWS = 120


class Rollout(NamedTuple):
    """One still's motion through a clip.

    start: the tick of the still; chance: share of a show's; anchoring: decay rate of the map, 1/s; flow: float16
    [T - start, 2, G, G], the fields from the next tick on.
    """

    start: int
    chance: float
    anchoring: float
    flow: NDArray[np.float16]


def chance_spread(loudness: float) -> float:
    """The scale of the noise at a loudness of 0 to 1; see `levels.Loudness`."""
    return SOFT_SPREAD + (LOUD_SPREAD - SOFT_SPREAD) * loudness


@torch.inference_mode()
def roll_out(model: Animator, clips: MotionClips, seed: int = 0) -> list[list[Rollout]]:
    """Make three rollouts of each clip: its first still and a later one with little chance, the first one with much.

    Args:
        model: a trained animator.
        clips: N clips.
        seed: of all random choices.

    Returns:
        Three rollouts per clip; the same seed gives the same.
    """
    count = len(clips.level)
    rng = np.random.default_rng(seed)
    later = rng.integers(1, len(STARTS), count)
    ways: list[list[Rollout]] = [[] for _ in range(count)]
    batches = [np.arange(count)[at : at + ROWS] for at in range(0, count, ROWS)]
    for rows in tqdm(batches, desc="enacted", mininterval=5):
        first = np.zeros(len(rows), np.int64)
        spread = np.stack([spreads_of(clips.level[row].float().numpy()) for row in rows])
        for which, little in ((first, True), (later[rows], True), (first, False)):
            # Those with a later still begin with the others and are cut: what came before it is not used.
            starts = np.array(STARTS)[which]
            anchoring = rng.uniform(*ANCHORING, len(rows))
            chance = rng.random(len(rows), np.float32)
            # Most often next to none: what is likeliest to be seen is what the painter has to know.
            chance = LITTLE_CHANCE * chance**2 if little else MUCH_CHANCE + (1.0 - MUCH_CHANCE) * chance
            spreads = chance[:, None] * spread
            flow = _roll_out(model, clips.audio[rows], clips.stills[rows, which], starts, anchoring, spreads, rng)
            for row, start, strength, rate, fields in zip(rows, starts, chance, anchoring, flow, strict=True):
                ways[row].append(Rollout(int(start), float(strength), float(rate), fields[start + 1 :]))
    return ways


def spreads_of(level_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread of the sampled fields at each tick of a clip with levels [T] in dB."""
    loudness = Loudness()
    return np.array([chance_spread(loudness.hear(float(level), TICK_S)) for level in level_db], np.float32)


def _roll_out(
    model: Animator,
    audio: torch.Tensor,
    stills: torch.Tensor,
    starts: NDArray[np.int64],
    anchoring: NDArray[np.float64],
    spread: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float16]:
    """Fields float16 [N, total, 2, G, G] of stills that start to move after their ticks."""
    count, total, grid = *spread.shape, model.config.grid
    spreads = torch.from_numpy(spread)[..., None, None, None]
    features = model.eyes(stills)
    seconds = torch.arange(total, dtype=torch.float64).expand(count, -1) * TICK_S
    context = model(audio.float(), seconds, features)
    keep = torch.from_numpy(np.exp(-TICK_S * anchoring)).float()
    where, before = torch.zeros(2, count, 2, grid, grid)
    noise = torch.from_numpy(rng.standard_normal((count, 2, grid, grid), np.float32))
    fields = np.zeros((count, total, 2, grid, grid), np.float16)
    first = torch.from_numpy(starts)
    for tick in range(int(starts.min()) + 1, total):
        fresh = torch.from_numpy(rng.standard_normal((count, 2, grid, grid), np.float32))
        noise = NOISE_CORRELATION * noise + (1.0 - NOISE_CORRELATION**2) ** 0.5 * fresh
        moment = AnimatorCondition(context[:, tick], warp_features(features, where), where, before)
        flow = model.sample(moment, spreads[:, tick] * noise) * (tick > first)[:, None, None, None]
        fields[:, tick] = flow.numpy()
        where, before = advance_map(where, flow, keep), flow
    return fields
