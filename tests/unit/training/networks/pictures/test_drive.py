"""The drive's training: it learns what strikes do within a few steps, and another sound explains nothing."""

from __future__ import annotations

import numpy as np

from models.pictures.drive import Drive, DriveConfig
from models.pictures.sound_encoder import KEEP
from streaming.scenes.mode_descriptions import MODE_FEATURES
from training.datasets.driven_scenes import DrivenClip
from training.networks.pictures.drive import DriveRecipe, DriveTraining, draw_batch, explained

SMALL = DriveConfig(latent_dim=4, features=MODE_FEATURES, width=24, levels=(1, KEEP), inside=24)
TICKS = 60


def _clip(seed: int) -> DrivenClip:
    """Strikes whose bands are heard."""
    rng = np.random.default_rng(seed)
    ticks = np.sort(rng.choice(np.arange(3, TICKS - 3), 6, replace=False))
    bands, notes = np.zeros((TICKS, 2, 8), np.float16), []
    for tick in ticks:
        band = int(rng.integers(8))
        bands[tick, :, band] = 0.9
        notes.append(((tick + 0.5) / 25.0, 0.3, 36.0 + 50.0 * band / 7.0, 0.9, 1, 0))
    none = np.zeros((0, 10), np.float32)
    latent = np.zeros((TICKS, 4), np.float16)
    return DrivenClip(latent, bands, np.asarray(notes, np.float32), none, np.zeros((TICKS, 0), np.float32))


def test_it_learns_and_another_sound_explains_nothing() -> None:
    clips = [_clip(seed) for seed in range(40)]
    training = DriveTraining(DriveRecipe(steps=120, batch=8, modes=6, learning_rate=5e-3), Drive(SMALL), clips)
    assert abs(explained(training.model, clips[:8])) < 0.3
    for _ in range(120):
        training.advance()
    assert explained(training.model.eval(), clips[:8]) > 0.3
    assert explained(training.model.eval(), clips[:8], other_sound=True) < 0.1


def test_a_batch_holds_the_laws_forces_and_a_players_own_motion() -> None:
    rng = np.random.default_rng(0)
    batch = draw_batch([_clip(1), _clip(2)], rng, 5)
    assert batch.modes.shape == (2, 5, MODE_FEATURES)
    assert batch.forces.shape == (2, TICKS, 3, 5)
    assert bool((batch.known == 1.0).all())
    assert float(batch.true_x.abs().max()) > 0.1
