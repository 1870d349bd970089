"""Material: folders are read in order, with masks; what cannot be used is passed over, and none at all is an error."""

from __future__ import annotations

import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.errors import UserError
from training.evaluation.reverse.material import (
    generated_pieces,
    generated_stills,
    pieces_of,
    stills_of,
    take_eight,
)


def write_sound(path: Path, seconds: float, level: float = 0.3) -> None:
    rng = np.random.default_rng(1)
    pcm = (level * rng.uniform(-1, 1, round(seconds * SAMPLE_RATE)) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm.tobytes())


def test_stills_are_as_the_screen_shows_them_and_carry_their_masks(tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for name in ("b", "a"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((100, 150, 3), 90, np.uint8))
    (tmp_path / "c.png").write_bytes(b"no picture")
    mask = np.zeros((100, 150), np.uint8)
    mask[20:60, 30:90], mask[80:, 100:], mask[0, 0] = 1, 2, 3
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), mask)
    a, b = stills_of([tmp_path], tmp_path / "masks")
    assert (a.name, b.name) == ("a", "b")
    assert a.image.shape == (512, 768, 3)
    assert [round(float(one.mean()), 2) for one in a.masks] == [0.16, 0.07]
    assert b.masks == ()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no picture"):
        stills_of([tmp_path / "empty"])


def test_sounds_that_are_long_and_loud_enough_are_used(tmp_path: Path) -> None:
    write_sound(tmp_path / "long.wav", 20.0)
    write_sound(tmp_path / "short.wav", 1.0)
    write_sound(tmp_path / "silent.wav", 5.0, 0.0)
    (piece,) = pieces_of([tmp_path], longest_s=4.0)
    assert piece.name == "long"
    assert piece.ticks == 100
    assert piece.sound.size == 100 * TICK_SAMPLES
    with pytest.raises(UserError, match="8 sounds are needed"):
        take_eight([piece], 2.0)
    eight = take_eight([piece] * 11, 6.0)
    assert [one.ticks for one in eight] == [150] * 8
    assert np.array_equal(eight[0].sound[: piece.sound.size], piece.sound)


def test_generated_mobiles_know_their_things() -> None:
    shipped, mobile = generated_stills(2)
    assert shipped.masks == ()
    assert mobile.masks
    assert all(mask.shape == mobile.image.shape[:2] and mask.any() for mask in mobile.masks)
    assert np.sum(mobile.masks, 0).max() == 1
    first, second = generated_pieces(2)
    assert first.name.startswith("performer")
    assert second.name.startswith("render")
    assert min(first.ticks, second.ticks) >= 150
