"""Every voice plays: notes sound when they are played, as strong as they are, in a room, below full scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from performers.kinds import KINDS
from streaming.conventions import SAMPLE_RATE
from tests.unit.training.synthesis.sampled.small_soundfont import write_soundfont
from training.synthesis.sampled.played_note import PlayedNote
from training.synthesis.sampled.programs import DANCE, VOICES
from training.synthesis.sampled.render import draw_program, render_notes, render_program
from training.synthesis.sampled.room import true_peak
from training.synthesis.sampled.soundfont import SoundfontError, open_soundfont


@pytest.fixture(scope="module")
def font(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_soundfont(tmp_path_factory.mktemp("font") / "sine.sf2")


def rms(x: NDArray[np.float32]) -> float:
    return float(np.sqrt((x.astype(np.float64) ** 2).mean()) + 1e-12)


def pitch_of(voice: str) -> float:
    return 38.0 if voice == "drums" else 64.0


@pytest.mark.parametrize("voice", KINDS)
def test_a_voice_sounds_from_its_note_on(voice: str, font: Path) -> None:
    x = render_notes([PlayedNote(0.5, 0.4, pitch_of(voice), 0.7)], voice, 2.0, 3, font)
    assert x.dtype == np.float32
    assert x.shape == (2 * SAMPLE_RATE,)
    start = SAMPLE_RATE // 2
    assert rms(x[: start - 100]) < 1e-5
    assert rms(x[start + 640 : start + 6_400]) > 1e-3


@pytest.mark.parametrize("voice", KINDS)
def test_velocity_is_loudness_over_twenty_decibels(voice: str, font: Path) -> None:
    loud, soft = (
        rms(render_notes([PlayedNote(0.1, 0.5, pitch_of(voice), velocity)], voice, 1.0, 5, font))
        for velocity in (1.0, 0.15)
    )
    assert 20.0 * np.log10(loud / soft) > 20.0


@pytest.mark.parametrize("voice", KINDS)
def test_however_much_is_played_the_peak_stays_below_full_scale(voice: str, font: Path) -> None:
    notes = [PlayedNote(0.05 * k, 1.0, pitch_of(voice) + k % 5, 1.0) for k in range(40)]
    x = render_notes(notes, voice, 2.0, 1, font)
    assert 20.0 * np.log10(true_peak(x)) <= -0.99


def test_a_seed_draws_instrument_tuning_and_room(font: Path) -> None:
    notes = [PlayedNote(0.1, 0.5, 64.0, 0.8)]
    first, again, other = (render_notes(notes, "keys", 1.0, seed, font) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other, atol=1e-4)
    programs = {draw_program(np.random.default_rng(seed), "strings", open_soundfont(font)).name for seed in range(60)}
    assert programs == {program.name for program in VOICES["strings"]}


@pytest.mark.parametrize("name", ["violin", "theremin"])
def test_a_detached_note_has_an_attack_of_its_own(name: str, font: Path) -> None:
    program = next(one for voice in VOICES.values() for one in voice if one.name == name)
    notes = [PlayedNote(0.2, 0.4, 64.0, 0.7), PlayedNote(0.6, 0.4, 64.0, 0.7)]

    def before_the_second(detached: bool) -> float:
        rng = np.random.default_rng(0)
        sound = render_program(open_soundfont(font), program, notes, 1.2, rng, {}, detached=detached)
        at = round(0.6 * SAMPLE_RATE)
        return float(20.0 * np.log10(rms(sound[at - 320 : at]) / rms(sound[at + 640 : at + 3_200])))

    assert before_the_second(False) > -6.0
    assert before_the_second(True) < -10.0


@pytest.mark.parametrize("name", ["violin", "theremin"])
def test_a_slur_glides_without_a_hole(name: str, font: Path) -> None:
    notes = [PlayedNote(0.1, 0.5, 64.0, 0.8), PlayedNote(0.6, 0.5, 71.0, 0.8)]
    program = next(one for programs in VOICES.values() for one in programs if one.name == name)
    x = render_program(open_soundfont(font), program, notes, 1.4, np.random.default_rng(0), {})
    windows = [rms(x[start : start + 320]) for start in range(8_000, 30_000, 320)]
    assert min(windows) > 0.15 * max(windows)


def test_an_open_hihat_is_ended_by_a_closed_one(tmp_path: Path) -> None:
    choking = write_soundfont(tmp_path / "choke.sf2", generators={54: 1, 36: 2400, 37: 0, 57: 1})
    program = VOICES["drums"][0]
    alone, ended = (
        render_program(open_soundfont(choking), program, notes, 2.0, np.random.default_rng(4), {})
        for notes in (
            [PlayedNote(0.2, 0.1, 46.0, 0.8)],
            [PlayedNote(0.2, 0.1, 46.0, 0.8), PlayedNote(0.6, 0.1, 42.0, 0.02)],
        )
    )
    late = slice(round(0.9 * SAMPLE_RATE), round(1.2 * SAMPLE_RATE))
    assert rms(ended[late]) < 0.1 * rms(alone[late])


def test_the_registers_of_dance_are_steps_hands_and_bells(tmp_path: Path) -> None:
    dance = DANCE[0]
    kit_only = write_soundfont(tmp_path / "kit.sf2", [(dance.kit.bank, dance.kit.number)], keys=(36, 36))
    font = open_soundfont(kit_only)
    step = PlayedNote(0.1, 0.2, 36.0, 0.8)
    assert rms(render_program(font, dance, [step], 1.0, np.random.default_rng(0), {})) > 1e-3
    hands = step._replace(pitch=50.0)
    assert rms(render_program(font, dance, [hands], 1.0, np.random.default_rng(0), {})) < 1e-6
    with pytest.raises(SoundfontError, match="no preset 108"):
        render_program(font, dance, [step._replace(pitch=72.0)], 1.0, np.random.default_rng(0), {})


def test_gains_move_the_level(font: Path) -> None:
    program = VOICES["keys"][0]
    notes = [PlayedNote(0.1, 0.5, 64.0, 0.4)]
    plain, louder = (
        render_program(open_soundfont(font), program, notes, 1.0, np.random.default_rng(0), gains)
        for gains in ({}, {program.name: 6.0})
    )
    assert 20.0 * np.log10(rms(louder) / rms(plain)) == pytest.approx(6.0, abs=0.05)


def test_unusable_voices_and_soundfonts_are_one_line(tmp_path: Path, font: Path) -> None:
    with pytest.raises(SoundfontError, match=r"unknown voice 'brass'; one of drums, strings, air, keys, dance"):
        render_notes([], "brass", 1.0, 0, font)
    with pytest.raises(SoundfontError, match="no instrument of strings"):
        render_notes([], "strings", 1.0, 0, write_soundfont(tmp_path / "piano.sf2", [(0, 0)]))
    with pytest.raises(SoundfontError, match="there is no soundfont"):
        render_notes([], "strings", 1.0, 0, tmp_path / "none.sf2")
