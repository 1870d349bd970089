"""Nearly the same pictures are passed over by chance, never too many in a row, and different ones never."""

from __future__ import annotations

import numpy as np

from streaming.painting.similarity_filter import MAX_SKIPPED, SimilarityFilter


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def test_the_same_picture_is_painted_every_so_often() -> None:
    filtered = SimilarityFilter(0)
    found = [filtered.skips(picture(1)) for _ in range(3 * (MAX_SKIPPED + 1))]
    assert found == ([False] + [True] * MAX_SKIPPED) * 3


def test_other_pictures_are_all_painted() -> None:
    filtered = SimilarityFilter(0)
    assert not any(filtered.skips(picture(seed)) for seed in range(20))


def test_the_more_alike_the_likelier_and_by_chance() -> None:
    shares = []
    for noise in (6, 12, 24):
        filtered, chance = SimilarityFilter(0), np.random.default_rng(3)
        found = []
        for _ in range(300):
            moved = picture(1).astype(np.int16) + chance.integers(-noise, noise + 1, (64, 64, 3))
            found.append(filtered.skips(np.clip(moved, 0, 255).astype(np.uint8)))
        shares.append(np.mean(found))
    assert shares[0] > shares[1] > shares[2]
    assert 0.0 < shares[1] < MAX_SKIPPED / (MAX_SKIPPED + 1)
    assert [SimilarityFilter(7).skips(picture(1)) for _ in range(2)] == [False, False]
