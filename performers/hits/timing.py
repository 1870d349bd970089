"""When a performer of "hits" strikes, how hard, and what its limbs do in between without a sound."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HIT, SOFT, HALT, LIFT = "hit", "soft", "halt", "lift"
"""What a stroke is: a hit that sounds; a slow lowering onto the surface; a false start that stops in the air; a lift
that is only held. The last three are silent."""
FIRST_S, TAIL_S = 0.3, 0.2
"""No hit lies nearer than this to the start and the end of a clip, in seconds."""
SHORTEST_GAP_S = 0.05
"""Hits of one player that lie closer together count as one."""


@dataclass(frozen=True)
class Stroke:
    """One movement of a limb towards what it strikes.

    Attributes:
        t_s: when it ends, in seconds from the start of the clip; for a hit the moment of contact.
        strength: 0 (inaudible) to 1 (as hard as possible).
        kind: `HIT`, `SOFT`, `HALT` or `LIFT`.
    """

    t_s: float
    strength: float
    kind: str = HIT


def draw_timing(rng: np.random.Generator, duration_s: float) -> NDArray[np.float64]:
    """Times and strengths from a renewal process: the fallback where no real playing is given.

    Args:
        rng: random generator.
        duration_s: length of the clip in seconds.

    Returns:
        float64 [N, 2]: time in seconds, strength 0..1.
    """
    mean_s = float(np.exp(rng.uniform(np.log(0.18), np.log(1.3))))
    spread = float(rng.choice([0.05, 0.2, 0.5]))
    level = float(rng.uniform(0.3, 1.0))
    now = float(rng.uniform(FIRST_S, 1.5))
    hits: list[tuple[float, float]] = []
    while now < duration_s - TAIL_S:
        hits.append((now, float(np.clip(level * np.exp(rng.normal(0.0, 0.35)), 0.08, 1.0))))
        now += max(0.12, mean_s * float(np.exp(rng.normal(0.0, spread))))
        if rng.random() < 0.08:
            now += float(rng.uniform(0.6, 2.0))
    return np.array(hits, dtype=np.float64).reshape(-1, 2)


def merge_timing(timing: NDArray[np.float64], duration_s: float) -> NDArray[np.float64]:
    """Sort hits, leave out those near the ends of the clip, and join those closer than `SHORTEST_GAP_S`.

    Args:
        timing: float64 [N, 2], times in seconds and strengths.
        duration_s: length of the clip in seconds.

    Returns:
        float64 [M, 2]; of joined hits the first time and the largest strength.
    """
    merged: list[list[float]] = []
    for time, strength in sorted(timing.tolist()):
        if not FIRST_S <= time < duration_s - TAIL_S:
            continue
        if merged and time - merged[-1][0] < SHORTEST_GAP_S:
            merged[-1][1] = max(merged[-1][1], strength)
        else:
            merged.append([time, strength])
    return np.array(merged, dtype=np.float64).reshape(-1, 2)


def share_out(rng: np.random.Generator, hits: int, limbs: int) -> NDArray[np.int64]:
    """Which limb makes each hit: in turn, or at random; int64 [hits]."""
    in_turn = np.arange(hits) % limbs
    return np.asarray(rng.integers(0, limbs, hits) if rng.random() < 0.5 else in_turn, dtype=np.int64)


def add_silent_strokes(rng: np.random.Generator, hits: list[Stroke], duration_s: float) -> list[Stroke]:
    """A limb's hits, with silent strokes where there is time for them.

    Args:
        rng: random generator.
        hits: the limb's hits, in order.
        duration_s: length of the clip in seconds.

    Returns:
        All strokes of the limb, in order of time.
    """
    often = float(rng.choice([0.0, 0.2, 0.5]))
    edges = [-0.3, *(hit.t_s for hit in hits), duration_s + 0.3]
    silent = []
    for before, after in pairwise(edges):
        if after - before > 0.7 and rng.random() < often:
            kind = str(rng.choice([SOFT, HALT, LIFT]))
            silent.append(Stroke(float(rng.uniform(before + 0.3, after - 0.3)), float(rng.uniform(0.2, 1.0)), kind))
    return sorted([*hits, *silent], key=lambda stroke: stroke.t_s)
