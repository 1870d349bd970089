"""Oscillators sound at their own frequency without a jump, noise in its own band, and silence is silent."""

from __future__ import annotations

import pytest
import torch

from models.codec.additive_synthesis import BANDS, CHANNELS, HOPS, LOOP, STEPS, SynthesisLevels, Synthesizer
from models.codec.partial_analysis import FRAME, HOP, SAMPLE_RATE, frequencies
from training.evaluation.codec import ELSEWHERE, jumps


def levels(frames: int, channel: int | None = None, band: int | None = None, level: float = 0.5) -> SynthesisLevels:
    tones, noise = torch.zeros(1, HOPS * frames, CHANNELS), torch.zeros(1, STEPS * frames, BANDS)
    if channel is not None:
        tones[..., channel] = level
    if band is not None:
        noise[..., band] = level
    return SynthesisLevels(tones, noise)


def test_a_channel_sounds_at_its_frequency_and_level() -> None:
    synthesizer = Synthesizer()
    for channel in (30, 100, 200, 311, 340):
        sound = synthesizer.step(levels(50, channel), synthesizer.init_state(1))[0][0, 0]
        steady = sound[FRAME:].double() * torch.hann_window(sound.numel() - FRAME, dtype=torch.float64)
        size = 1 << 20
        peak = int(torch.fft.rfft(steady, size).abs().argmax()) * SAMPLE_RATE / size
        assert abs(peak - float(frequencies()[channel])) < 0.1
        assert 0.499 < float(sound[FRAME:].abs().max()) <= 0.5001


def test_an_amplitude_that_arrives_does_not_click() -> None:
    synthesizer = Synthesizer()
    sound = synthesizer.step(levels(3, 100), synthesizer.init_state(1))[0][0, 0]
    steepest = float((sound[2 * HOP :].diff()).abs().max())
    assert float(sound[:HOP].diff().abs().max()) <= 1.1 * steepest
    assert abs(float(sound[0])) < 1e-3


def test_phases_are_exact_after_hours() -> None:
    synthesizer = Synthesizer()
    turn = 4096 // HOPS
    now = synthesizer.step(levels(5, 150), synthesizer.init_state(1, 3))[0]
    later = synthesizer.step(levels(5, 150), synthesizer.init_state(1, 3 + 1000 * turn))[0]
    assert torch.equal(now, later)
    state = synthesizer.init_state(1, turn - 2)
    _, state = synthesizer.step(levels(2, 150), state)
    assert float(state[-1]) == 0.0


def test_noise_lies_in_its_band_and_is_not_heard_to_repeat_within_a_second() -> None:
    synthesizer = Synthesizer()
    sound = synthesizer.step(levels(LOOP, band=20), synthesizer.init_state(1))[0][0, 0]
    power = torch.fft.rfft(sound[FRAME:].double()).abs().square()
    hz = torch.linspace(0, SAMPLE_RATE / 2, power.numel())
    middle = float((power * hz).sum() / power.sum())
    inside = float(power[(hz > 0.8 * middle) & (hz < 1.25 * middle)].sum() / power.sum())
    assert inside > 0.95
    assert 0.4 < float(sound.std()) < 0.6
    half = sound[: LOOP * FRAME // 2] - sound.mean()
    other = sound[LOOP * FRAME // 2 :] - sound.mean()
    assert abs(float((half * other).mean() / sound.var())) < 0.2


def test_silence_is_silent() -> None:
    synthesizer = Synthesizer()
    assert float(synthesizer.step(levels(4), synthesizer.init_state(1))[0].abs().max()) == 0.0


@pytest.mark.parametrize("tilt", [0.0, -3.0, 3.0])
def test_noise_is_calmer_at_the_joints_of_ticks_than_elsewhere(tilt: float) -> None:
    said = levels(LOOP + 2)
    said.noise[:] = 0.1 * 10.0 ** (tilt * torch.linspace(0.0, 1.0, BANDS))
    synthesizer = Synthesizer()
    sound = synthesizer.step(said, synthesizer.init_state(1))[0][0, 0].numpy()
    assert jumps(sound).mean() < 0.9 * jumps(sound, ELSEWHERE).mean()
