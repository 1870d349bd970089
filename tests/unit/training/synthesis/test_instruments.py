"""The instruments sound when they are played and are silent when they are not."""

from __future__ import annotations

import numpy as np
import pytest

from performers.kinds import KINDS
from performers.score import draw_score
from training.synthesis.instruments import render_sound


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variety", [0.0, 1.0])
def test_sound_belongs_to_the_score(kind: str, variety: float) -> None:
    score = draw_score(kind, 11, 8.0)
    x = render_sound(score, 32_000, variety)
    assert x.dtype == np.float32
    assert x.size == 256_000
    assert 0.1 < float(np.abs(x).max()) < 1.0
    for start, end in score.rests:
        if end - start > 0.8:
            rest = x[int((start + 0.7) * 32_000) : int(end * 32_000)]
            assert float(np.sqrt((rest**2).mean())) < 1e-4


def test_a_seed_is_a_performance() -> None:
    first, again, other = (render_sound(draw_score("drums", seed, 3.0)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
