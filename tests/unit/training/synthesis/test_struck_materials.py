"""The sound of hits: at the right moments, louder for harder hits, different by material."""

from __future__ import annotations

import numpy as np
import pytest

from performers.hits.performer import HitsMaterial, HitsPerformer
from streaming.conventions import SAMPLE_RATE
from training.measures.onsets import detect_onsets, match_onsets
from training.synthesis.struck_materials import MATERIALS, draw_thing, hits_sound, strike


@pytest.mark.parametrize("name", sorted(MATERIALS))
def test_every_material_rings_and_dies_away(name: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sound = strike(draw_thing(rng, MATERIALS[name]), 0.8, rng)
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() == pytest.approx(0.8**1.4)
        assert np.abs(sound).argmax() < 0.1 * SAMPLE_RATE
        assert np.abs(sound[-32:]).max() < 0.02


def test_a_harder_hit_is_louder_and_brighter() -> None:
    def centre(sound: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(sound[:4000], 8192)) ** 2
        return float((power * np.arange(power.size)).sum() / power.sum())

    brighter = 0
    for seed in range(10):
        thing = draw_thing(np.random.default_rng(seed), MATERIALS["sheet metal"])
        soft, hard = (strike(thing, strength, np.random.default_rng(1)) for strength in (0.15, 1.0))
        assert np.abs(hard).max() > 5.0 * np.abs(soft).max()
        brighter += centre(hard) > centre(soft)
    assert brighter >= 9


def test_onsets_lie_at_the_contacts_and_the_delay_of_the_clip() -> None:
    timing = np.array([(time, 0.9) for time in np.arange(0.6, 7.0, 0.7)])
    scores = []
    for seed in range(6):
        truth = HitsPerformer(seed, 8.0, HitsMaterial(timing)).truth
        sound = hits_sound(truth, seed, 8.0)
        assert sound.shape == (8 * SAMPLE_RATE,)
        assert np.abs(sound).max() < 1.0
        scores.append(match_onsets(truth.onset_s, detect_onsets(sound), 0.03).f1)
    assert np.mean(scores) > 0.9


def test_the_same_seed_sounds_the_same() -> None:
    truth = HitsPerformer(1, 4.0).truth
    np.testing.assert_array_equal(hits_sound(truth, 1, 4.0), hits_sound(truth, 1, 4.0))
