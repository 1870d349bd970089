"""The codec's scores know good from bad, and Opus is a fair control: in line and better with more bits."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from streaming.conventions import TICK_SAMPLES
from tests.unit.training.datasets.sounds.small_recordings import write_recordings
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.evaluation.codec import (
    ELSEWHERE,
    CodecSounds,
    SampleScores,
    jumps,
    load_recordings,
    mel_distance,
    pool_scores,
    si_sdr_db,
)

RATE = 32_000


@pytest.fixture(scope="module")
def notes() -> np.ndarray:
    t = np.arange(3 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * f * t) * np.exp(-3 * ((t - d) % 1.0)) for f, d in ((330, 0), (495, 0.3), (660, 0.6)))
    noise = np.random.default_rng(1).standard_normal(t.size) * np.exp(-20 * (t % 0.5))
    return (0.2 * wave + 0.05 * noise).astype(np.float32)


def test_mel_distance_is_nothing_for_the_same_and_grows_with_noise(notes: np.ndarray) -> None:
    noise = np.random.default_rng(2).standard_normal(notes.size).astype(np.float32)
    distances = [mel_distance(notes + np.float32(g) * noise, notes) for g in (0.0, 0.001, 0.01, 0.1)]
    assert distances[0] == 0.0
    assert distances == sorted(distances)
    assert mel_distance(np.float32(0.5) * notes, notes) > 0.3, "a level is heard"


def test_si_sdr_is_that_of_the_noise_whatever_the_level(notes: np.ndarray) -> None:
    noise = np.random.default_rng(3).standard_normal(notes.size)
    noise *= np.sqrt((notes.astype(np.float64) ** 2).sum() / (noise**2).sum()) * 0.1
    for gain in (1.0, 0.1):
        assert si_sdr_db(gain * (notes + noise).astype(np.float32), notes) == pytest.approx(20.0, abs=0.3)


def test_a_jump_at_the_borders_shows(notes: np.ndarray) -> None:
    whole = notes[: notes.size // TICK_SAMPLES * TICK_SAMPLES]
    ticks = whole.reshape(-1, TICK_SAMPLES).copy()
    ticks[::2] += 0.1
    stepped = ticks.ravel()
    assert jumps(stepped).mean() > 3 * jumps(whole).mean()
    assert jumps(stepped, ELSEWHERE).mean() < 1.5 * jumps(whole, ELSEWHERE).mean(), "and nowhere else"
    assert jumps(np.zeros(10 * TICK_SAMPLES, np.float32)).size == 0, "silence has no border"


def test_recordings_are_read_as_the_codec_hears_them(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes((np.ones((44_100, 2)) * 8000).astype(np.int16).tobytes())
    (tmp_path / "readme.txt").write_text("no sound")
    (sample,) = load_recordings(tmp_path)
    assert sample.name == "a.wav"
    assert sample.sound.size == 25 * TICK_SAMPLES
    assert float(np.median(sample.sound)) == pytest.approx(8000 / 32768, abs=1e-3)
    with pytest.raises(FileNotFoundError):
        load_recordings(_empty(tmp_path))


def test_music_and_recordings_for_tests_are_scored_where_they_are_given(tmp_path: Path) -> None:
    corpus, font = write_recordings(tmp_path), write_soundfont(tmp_path / "sine.sf2")
    groups = CodecSounds(2, tmp_path / "audio", font, corpus).load()
    assert {name: len(samples) for name, samples in groups.items()} == {
        "renders": 2,
        "sampled": 2,
        "corpus": 1,
        "recordings": 7,
    }
    assert all(sample.sound.size % TICK_SAMPLES == 0 for samples in groups.values() for sample in samples)
    assert float(np.abs(groups["sampled"][0].sound).max()) > 1e-3
    assert list(CodecSounds(2).load()) == ["renders"]
    with pytest.raises(ValueError, match="there is no soundfont"):
        CodecSounds(2, soundfont=tmp_path / "none.sf2").load()


def _empty(folder: Path) -> Path:
    empty = folder / "empty"
    empty.mkdir()
    return empty


def test_every_border_counts_the_same() -> None:
    """A clip that sounds for a moment has few borders, and must not weigh as much as one that plays throughout."""
    rows = [SampleScores({"mel": 1.0}, {"seam": np.full(count, value)}) for count, value in ((99, 0.1), (1, 0.9))]
    figures = pool_scores(rows)
    assert figures["mel"] == 1.0
    assert figures["seam"] == pytest.approx(0.108)
    assert figures["seam_median"] == pytest.approx(0.1)


def test_phrase_ends_that_are_cut_are_counted_over_all_sounds() -> None:
    falls = ([5.0, 45.0], [3.0, 60.0, 2.0])
    scores = [SampleScores({"mel": 0.5}, {}, {"cut_phrase_ends": np.array(one)}) for one in falls]
    figures = pool_scores(scores)
    assert figures["cut_phrase_ends"] == 0.4
    assert figures["cut_phrase_ends_n"] == 5
    none = pool_scores([SampleScores({"mel": 0.5}, {}, {"cut_phrase_ends": np.zeros(0)})])
    assert none["cut_phrase_ends"] is None
