"""The codec's body names notes before it has learned anything, once it has been begun on sounds."""

from __future__ import annotations

import numpy as np
import torch

from models.codec.additive_codec import AdditiveDecoder, AdditiveEncoder, CodecConfig, init_linear_paths
from models.codec.codec import Codec
from training.measures.pitch import agreement, pitch_track

SMALL = CodecConfig(width=16, encoder_dilations=(1,), decoder_dilations=(1,), latent_dim=48, cardinality=16)
RATE = 32_000


def notes(seed: int, seconds: int = 2) -> torch.Tensor:
    """Plucked harmonic notes, four a second: [1, 1, n]."""
    rng = np.random.default_rng(seed)
    at = np.arange(RATE // 4) / RATE
    parts = []
    for pitch in rng.integers(48, 72, 4 * seconds):
        hz = 440.0 * 2 ** ((pitch - 69) / 12)
        wave = sum(np.sin(2 * np.pi * hz * h * at + rng.uniform(0, 6)) / h for h in range(1, 9))
        parts.append(0.2 * wave * np.exp(-4 * at))
    return torch.from_numpy(np.concatenate(parts).astype(np.float32))[None, None]


def test_begun_on_sounds_it_gives_back_the_pitch_of_others_untrained() -> None:
    torch.manual_seed(0)
    codec = Codec(SMALL).eval()
    encoder, decoder = codec.encoder, codec.decoder
    assert isinstance(encoder, AdditiveEncoder)
    assert isinstance(decoder, AdditiveDecoder)
    sound = notes(1)

    def in_tune() -> float:
        with torch.no_grad():
            heard = decoder(encoder(sound))[0, 0].numpy()
        return agreement(pitch_track(heard), pitch_track(sound[0, 0].numpy()))

    before = in_tune()
    with torch.no_grad():
        pasts = [encoder.listening.step(notes(seed), encoder.listening.init_state(1))[0][0] for seed in range(2, 14)]
    init_linear_paths(encoder, decoder, torch.cat(pasts))
    assert not before > 0.1  # measured 0 or nothing voiced
    assert in_tune() > 0.5


def test_the_places_that_are_said_are_those_that_sound() -> None:
    decoder = Codec(SMALL).decoder
    assert isinstance(decoder, AdditiveDecoder)
    with torch.no_grad():
        said, _ = decoder.say(torch.randn(1, 48, 5), decoder.init_state(1)[:-3])
    assert said.places.shape == (1, 10, 312)
    off = said.places < 0.05
    assert bool((said.levels.tones[..., :312][off] == 0).all())
    assert bool((said.levels.tones[..., :312][~off] > 0).all())
