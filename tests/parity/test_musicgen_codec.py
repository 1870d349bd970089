"""MusicGen's codec at its full size, 57 million seeded numbers in the real files: it says what Transformers says.

Measured: whole signal 1.2e-6, streamed a tick at a time behind its latency 1.5e-6 of the largest value.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor
from transformers import EncodecModel

from models.codec.encodec import Encodec
from tests.encodecs import as_audiocraft, seeded
from training.adopt.codec import AUDIOCRAFT, encodec_of, read_published

TOLERANCE = 1e-4
PUBLISHED = {
    "audio_channels": 1,
    "codebook_dim": 128,
    "codebook_size": 2048,
    "compress": 2,
    "dilation_growth_rate": 2,
    "hidden_size": 128,
    "kernel_size": 7,
    "last_kernel_size": 7,
    "norm_type": "weight_norm",
    "normalize": False,
    "num_filters": 64,
    "num_lstm_layers": 2,
    "num_residual_layers": 1,
    "pad_mode": "reflect",
    "residual_kernel_size": 3,
    "sampling_rate": 32_000,
    "target_bandwidths": [2.2],
    "trim_right_ratio": 1.0,
    "upsampling_ratios": [8, 5, 4, 4],
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}
"""The sizes of facebook/encodec_32khz."""


@pytest.fixture(scope="module")
def theirs() -> EncodecModel:
    model = seeded(PUBLISHED)
    assert 55e6 < sum(parameter.numel() for parameter in model.parameters()) < 60e6
    return model


@pytest.fixture(scope="module")
def codes() -> Tensor:
    return torch.randint(0, 2048, (1, 4, 50), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def want(theirs: EncodecModel, codes: Tensor) -> Tensor:
    with torch.no_grad():
        sound: Tensor = theirs.decode(codes[None], [None]).audio_values
    return sound


def off(got: Tensor, want: Tensor) -> float:
    return float((got - want).abs().max() / want.abs().max())


@torch.no_grad()
def assert_the_same(codec: Encodec, codes: Tensor, want: Tensor) -> None:
    assert off(codec.decode(codes), want) < TOLERANCE
    state, parts = codec.decoder.init_state(1), []
    for at in range(0, codes.shape[-1], 2):
        sound, state = codec.decoder.step(codec.quantizer.decode(codes[..., at : at + 2]), state)
        parts.append(sound)
    late = codec.decoder.latency
    streamed = torch.cat(parts, -1)[..., late:]
    assert off(streamed, want[..., :-late]) < TOLERANCE


def test_in_transformers_files(theirs: EncodecModel, codes: Tensor, want: Tensor, tmp_path: Path) -> None:
    theirs.save_pretrained(tmp_path)
    codec = encodec_of(read_published(str(tmp_path), offline=True))
    assert_the_same(codec, codes, want)
    pcm = 0.1 * torch.randn(1, 1, 640 * 25, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        assert off(codec.encoder(pcm), theirs.encoder(pcm)) < TOLERANCE


def test_in_audiocrafts_file(theirs: EncodecModel, codes: Tensor, want: Tensor, tmp_path: Path) -> None:
    tensors, values = as_audiocraft(theirs)
    torch.save({"best_state": tensors, "xp.cfg": yaml.safe_dump(values)}, tmp_path / AUDIOCRAFT)
    assert_the_same(encodec_of(read_published(str(tmp_path), offline=True)), codes, want)
