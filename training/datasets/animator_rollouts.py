"""What a trained animator makes of many clips at once: how each one's still is moved from a start to the clip's end.

The painter must mend what it will be shown, and that is not how the players truly moved but how the animator moves
their stills. The steps are the show's own (`streaming.stages.flow`): chance that lasts, its own last field before it,
and a map that is drawn back to rest. With little of a show's chance, or none, what the player truly looked like can be
asked for; where chance has led a hand no player's hand was, and all that can be asked is to leave it there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from models.pictures.animator import TICK_S, Animator, AnimatorCondition, warp_features
from streaming.audio.levels import Loudness
from streaming.stages.flow import NOISE_CORRELATION, chance_spread
from training.datasets.animator import STARTS, MotionClips
from training.networks.animator import advance_map

ANCHORING = 0.5, 2.0
"""Range of the show's dial, 1/s."""
LITTLE_CHANCE, MUCH_CHANCE = 0.5, 0.8
"""How much of a show's chance leads a still, at most and at least; with more than a little it goes where none went."""
ROWS = 120


class Rollout(NamedTuple):
    """One still's way through a clip.

    start: the tick at which it was taken; chance: in parts of a show's; anchoring: by which part its map decays in a
    second; flow: float16 [T - start, 2, G, G], what was said from the next tick on.
    """

    start: int
    chance: float
    anchoring: float
    flow: NDArray[np.float16]


@torch.inference_mode()
def roll_out(model: Animator, clips: MotionClips, seed: int = 0) -> list[list[Rollout]]:
    """Move the first still of every clip and one of its later ones with little chance, and the first one with much.

    Args:
        model: a trained animator.
        clips: N of them.
        seed: of chance and of what is chosen.

    Returns:
        Three ways for each clip; all follow from the seed.
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
    """How far chance leads at each tick of a clip with these levels [T] in dB."""
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
    """Fields float16 [N, total, 2, G, G] of stills that begin to move after their starts."""
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
