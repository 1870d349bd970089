"""When a performer of hits strikes, and what its limbs do in between."""

from __future__ import annotations

import numpy as np

from performers.hits.timing import HIT, Stroke, add_silent_strokes, draw_timing, merge_timing, share_out


def test_drawn_timing_is_sorted_and_leaves_the_ends_free() -> None:
    for seed in range(20):
        timing = draw_timing(np.random.default_rng(seed), 8.0)
        assert (np.diff(timing[:, 0]) >= 0.12 - 1e-9).all()
        assert timing[:, 0].min(initial=1.0) >= 0.3
        assert timing[:, 0].max(initial=0.0) < 7.8
        assert ((timing[:, 1] > 0) & (timing[:, 1] <= 1)).all()


def test_simultaneous_hits_become_one_with_the_larger_strength() -> None:
    given = np.array([(2.0, 0.3), (1.0, 0.5), (2.02, 0.9), (0.1, 1.0), (7.95, 1.0)])
    np.testing.assert_allclose(merge_timing(given, 8.0), [(1.0, 0.5), (2.0, 0.9)])
    assert merge_timing(np.zeros((0, 2)), 8.0).shape == (0, 2)


def test_each_hit_has_one_limb() -> None:
    whose = [share_out(np.random.default_rng(seed), 10, 2) for seed in range(10)]
    assert {int(limb) for limbs in whose for limb in limbs} == {0, 1}
    assert any((limbs == np.arange(10) % 2).all() for limbs in whose)


def test_silent_strokes_keep_the_hits_and_lie_apart_from_them() -> None:
    hits = [Stroke(1.0, 0.5), Stroke(1.4, 0.5), Stroke(4.0, 0.5)]
    added = 0
    for seed in range(30):
        strokes = add_silent_strokes(np.random.default_rng(seed), hits, 8.0)
        assert [stroke for stroke in strokes if stroke.kind == HIT] == hits
        silent = [stroke for stroke in strokes if stroke.kind != HIT]
        assert all(abs(one.t_s - hit.t_s) >= 0.3 for one in silent for hit in hits)
        added += len(silent)
    assert added > 10
