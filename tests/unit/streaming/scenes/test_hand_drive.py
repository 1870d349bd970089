"""The drive by hand: which modes hear what, attacks kick, held tones push near the modes' own frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.scenes.hand_drive import HandDrive, listening_weights
from streaming.scenes.layered_scene import MAX_MODES, SceneMode
from streaming.scenes.springs import MAX_KICK, MAX_PUSH
from tests.scenes.hand_made import mode_of

MODES = [mode_of(hz, size=size) for hz, size in ((0.7, 0.6), (1.2, 0.4), (2.0, 0.2), (3.5, 0.1))]
NO_NOISE = np.zeros((MAX_MODES, 2), np.float32)
LATENT = np.zeros(128, np.float32)


def drive_of(modes: list[SceneMode] = MODES) -> HandDrive:
    drive = HandDrive()
    drive.take_scene(modes)
    return drive


def bands(level: float = 0.0, attack: float = 0.0, band: int | None = None) -> np.ndarray:
    chosen = slice(None) if band is None else band
    found = np.zeros((2, 8), np.float32)
    found[0, chosen], found[1, chosen] = level, attack
    return found


def test_slow_and_large_modes_hear_low_bands_and_every_band_is_heard() -> None:
    weights = listening_weights(MODES)
    assert weights.shape == (4, 8)
    assert (np.diff(weights.argmax(1)) > 0).all()
    assert weights.max(0).min() > 0.5, "no band is lost"
    assert (listening_weights(MODES[:1]) > 0.4).all(), "a lone mode hears all"
    many = [mode_of(0.7 + 0.1 * number) for number in range(36)]
    assert listening_weights(many).max(0).min() > 0.9
    assert listening_weights([]).shape == (0, 8)


def test_an_attack_kicks_what_hears_it_once() -> None:
    drive = drive_of()
    push, kick, bow = drive.step(LATENT, bands(attack=0.8, band=0), NO_NOISE)
    assert abs(kick[0]) > 0.7
    assert abs(kick[0]) > 3.0 * abs(kick[3])
    assert not push.any()
    assert not bow.any()
    assert not drive.step(LATENT, bands(), NO_NOISE)[1].any()


def test_a_kick_goes_the_way_that_the_mode_goes() -> None:
    drive = drive_of()
    first = drive.step(LATENT, bands(attack=0.8), NO_NOISE)[1]
    second = drive.step(LATENT, bands(attack=0.8), NO_NOISE)[1]
    assert (np.sign(first) == np.sign(second)).all(), "they still go out"
    assert len(set(np.sign(first))) == 2, "not all the same way"
    waited = drive_of([mode_of(1.0, 0.1)])
    out = waited.step(LATENT, bands(attack=0.8), NO_NOISE)[1]
    for _ in range(12):  # half a period: it comes back
        waited.step(LATENT, bands(), NO_NOISE)
    assert np.sign(waited.step(LATENT, bands(attack=0.8), NO_NOISE)[1]) == -np.sign(out)


def test_a_held_tone_pushes_to_and_fro_near_the_mode_s_frequency() -> None:
    drive = drive_of()
    pushes = np.stack([drive.step(LATENT, bands(level=0.8), NO_NOISE)[0] for _ in range(250)])
    assert (np.abs(pushes[100:]).max(0) > 0.2).all()
    for number, mode in enumerate(MODES):
        crossings = int((np.diff(np.sign(pushes[:, number])) != 0).sum())
        assert crossings / 2 / 10.0 == pytest.approx(mode.hz, rel=0.15)
    assert not drive.step(LATENT, bands(), NO_NOISE).any(), "and nothing pushes in silence"


def test_a_bright_tone_pushes_faster() -> None:
    def crossings(band: int) -> int:
        drive = drive_of([mode_of(2.0)])
        pushes = [drive.step(LATENT, bands(level=0.8, band=band), NO_NOISE)[0, 0] for _ in range(250)]
        return int((np.diff(np.sign(pushes)) != 0).sum())

    assert crossings(7) > 1.3 * crossings(0)


def test_chance_varies_the_forces_a_little_and_makes_none() -> None:
    noise = np.full((MAX_MODES, 2), 1.0, np.float32)
    plain, varied = drive_of(), drive_of()
    kicks = [drive.step(LATENT, bands(attack=0.5), given)[1] for drive, given in ((plain, NO_NOISE), (varied, noise))]
    assert np.allclose(kicks[1] / kicks[0], 1.2)
    assert not drive_of().step(LATENT, bands(), noise).any()
    wild = drive_of().step(LATENT, bands(attack=1.0), 100.0 * noise)[1]
    assert np.abs(wild).max() < MAX_KICK


def test_the_same_sound_gives_the_same_after_a_reset_and_stays_in_range() -> None:
    drive, rng = drive_of(), np.random.default_rng(0)
    piece = rng.random((60, 2, 8), np.float32)
    first = [drive.step(LATENT, tick, NO_NOISE) for tick in piece]
    drive.reset()
    again = [drive.step(LATENT, tick, NO_NOISE) for tick in piece]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first)[:, 0].max() < MAX_PUSH
    assert np.abs(first)[:, 1].max() < MAX_KICK
