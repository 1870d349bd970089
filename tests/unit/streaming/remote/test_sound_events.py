"""Onsets are found once and to a few milliseconds; pitch and level are those of the sound."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.remote.sound_events import LATEST_NS, SoundEventReader, SoundTimes
from streaming.schema.messages import Microphone, Sound, Speaker
from streaming.stage import Inputs

TIMES_S = (0.513, 1.0071, 1.4992, 2.2301)


def plucked(midi: float = 60.0) -> np.ndarray:
    """Decaying tones at `TIMES_S`, 3 s."""
    sound = np.zeros(3 * SAMPLE_RATE)
    hz = 440.0 * 2.0 ** ((midi - 69.0) / 12.0)
    for at_s in TIMES_S:
        first = round(at_s * SAMPLE_RATE)
        time_s = np.arange(sound.size - first) / SAMPLE_RATE
        sound[first:] += 0.3 * np.exp(-time_s / 0.15) * np.sin(2 * np.pi * hz * time_s)
    return sound.astype(np.float32)


def test_onsets_lie_where_the_notes_begin() -> None:
    reader = SoundEventReader()
    found = []
    for tick, pcm in enumerate(plucked().reshape(-1, TICK_SAMPLES)):
        events = reader.hear(pcm)
        if events.onset_s is not None:
            found.append(tick / TICKS_PER_SECOND + events.onset_s)
            assert 0.18 <= events.strength <= 1.0
    assert len(found) == len(TIMES_S)
    assert np.abs(np.array(found) - TIMES_S).max() < 0.008


def test_pitch_and_level_are_the_sounds() -> None:
    reader = SoundEventReader()
    events = [reader.hear(pcm) for pcm in plucked(57.0).reshape(-1, TICK_SAMPLES)]
    assert events[0].pitch is None
    assert events[0].level_db < -100
    assert events[17].pitch == pytest.approx(57.0, abs=0.2)
    assert max(one.level_db for one in events) == pytest.approx(20 * np.log10(0.3 * 0.5**0.5), abs=2.5)


def test_a_held_tone_has_one_onset_and_silence_none() -> None:
    reader = SoundEventReader()
    time_s = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    tone = np.concatenate([np.zeros(SAMPLE_RATE), 0.2 * np.sin(2 * np.pi * 330 * time_s)]).astype(np.float32)
    onsets = [reader.hear(pcm).onset_s for pcm in tone.reshape(-1, TICK_SAMPLES)]
    assert [tick for tick, onset in enumerate(onsets) if onset is not None] == [25]


def test_a_tick_is_heard_when_the_audio_device_says_so() -> None:
    times, now_ns, pcm = SoundTimes(hears_only=False), 10**12, np.zeros(TICK_SAMPLES, np.float32)
    captured = Sound(tick=7, pcm=pcm, capture_ns=now_ns - 5)
    assert times.take(Inputs(messages={"sound": [captured]}), now_ns) == [(captured, now_ns - 5)]
    unknown, dac_ns = Sound(tick=9, pcm=pcm), now_ns + 30_000_000
    clock = Speaker(tick=8, dac_ns=dac_ns)
    assert times.take(Inputs(messages={"sound": [unknown], "speaker": [clock]}), now_ns) == [
        (unknown, dac_ns + TICK_NS)
    ]
    later_ns = dac_ns + LATEST_NS
    assert times.take(Inputs(messages={"sound": [unknown]}), later_ns) == [(unknown, later_ns)], "it says no more"


@pytest.mark.parametrize("hears_only", [False, True])
def test_what_is_heard_counts_in_a_show_that_makes_no_music(hears_only: bool) -> None:
    heard = Microphone(tick=3, pcm=np.zeros(TICK_SAMPLES, np.float32), capture_ns=5)
    found = SoundTimes(hears_only=hears_only).take(Inputs(messages={"microphone": [heard]}), 10)
    assert found == [(heard, 5)] * hears_only
