"""Spectrograms say what sounds and how loud, and the vocoder names notes before it has learned anything."""

from __future__ import annotations

import torch

from models.codec.mel import MelConfig, MelSpectrogram, Vocoder, init_linear_decoder
from models.codec.partial_analysis import WINDOW, ReassignedSpectrum, scaled_log
from tests.unit.models.codec.test_additive_codec import notes
from training.measures.pitch import agreement, pitch_track


def test_a_tone_is_in_its_band_at_its_level() -> None:
    config = MelConfig()
    spectrogram = MelSpectrogram(config)
    at = torch.arange(640 * 20) / 32_000
    said = []
    for hz in (220.0, 1000.0, 5000.0):
        frames = spectrogram((0.5 * torch.sin(2 * torch.pi * hz * at))[None, None])
        assert frames.shape == (1, config.dim, 20)
        said.append(int(frames[0, : config.bands, -1].argmax()))
        assert abs(float(frames[0, : config.bands, -1].max()) - float(scaled_log(torch.tensor(0.5)))) < 0.25
    assert said == sorted(said)
    silence = spectrogram(torch.zeros(1, 1, 640 * 4))
    assert float(silence.max()) < -1.0


def test_begun_on_sounds_the_vocoder_gives_back_the_pitch_of_others_untrained() -> None:
    torch.manual_seed(0)
    vocoder = Vocoder(MelConfig(width=16, dilations=(1,))).eval()
    places = ReassignedSpectrum(torch.hann_window(WINDOW, dtype=torch.float64))
    frames, spoken = [], []
    with torch.no_grad():
        for seed in range(2, 26):
            sound = notes(seed)
            frames.append(vocoder.encode(sound)[0].T)
            where, level = places(torch.nn.functional.pad(sound[:, 0], (WINDOW // 2, WINDOW // 2)))
            spoken.append(torch.cat([where, scaled_log(level)], -1)[0, 1::2])

    def in_tune() -> float:
        sound = notes(1)
        with torch.no_grad():
            heard = vocoder.decode(vocoder.encode(sound))[0, 0].numpy()
        return agreement(pitch_track(heard), pitch_track(sound[0, 0].numpy()))

    assert not in_tune() > 0.1
    init_linear_decoder(vocoder, torch.cat(frames), torch.cat(spoken))
    assert in_tune() > 0.3
