"""Published codecs in Transformers' own files, and in audiocraft's: read here, they say what Transformers says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import EncodecModel

from models.codec.encodec import Encodec
from models.codec.encodec_layers import EXACT
from models.codec.published_codecs import PublishedError, audiocraft_config, codec_tensors, transformers_config
from tests.encodecs import as_audiocraft, seeded

SMALL = {
    "upsampling_ratios": [8, 5, 4, 4],
    "num_filters": 4,
    "hidden_size": 16,
    "codebook_dim": 16,
    "codebook_size": 64,
    "sampling_rate": 32_000,
    "target_bandwidths": [1.2],
    "use_causal_conv": False,
    "use_conv_shortcut": False,
}


def theirs(**changes: Any) -> EncodecModel:
    return seeded(SMALL | changes)


def ours(model: EncodecModel, look_ahead: int = EXACT) -> Encodec:
    config = transformers_config(model.config.to_dict(), look_ahead)
    codec = Encodec(config).eval()
    codec.load_state_dict(codec_tensors(model.state_dict(), config.num_codebooks))
    return codec


@torch.no_grad()
def assert_the_same(model: EncodecModel, codec: Encodec) -> None:
    codes = torch.randint(0, 64, (2, codec.config.num_codebooks, 25))
    want = model.decode(codes[None], [None]).audio_values
    assert float((codec.decode(codes) - want).abs().max() / want.abs().max()) < 1e-5
    pcm = 0.1 * torch.randn(2, 1, 640 * 25)
    heard = model.encoder(pcm)
    assert float((codec.encoder(pcm) - heard).abs().max() / heard.abs().max()) < 1e-5
    said = model.encode(pcm, bandwidth=model.config.target_bandwidths[-1]).audio_codes[0]
    assert float((codec.encode(pcm) == said).float().mean()) > 0.999


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pad_mode": "constant"},
        {"use_causal_conv": True, "use_conv_shortcut": True},
        {"num_residual_layers": 2, "num_lstm_layers": 1},
    ],
)
def test_a_published_codec_says_what_transformers_says(changes: dict[str, Any]) -> None:
    model = theirs(**changes)
    assert_the_same(model, ours(model))


def test_it_may_lie_in_a_whole_musicgen() -> None:
    model = theirs()
    inside = {f"audio_encoder.{name}": value for name, value in model.state_dict().items()}
    config = transformers_config({"model_type": "musicgen", "audio_encoder": model.config.to_dict()})
    codec = Encodec(config)
    codec.load_state_dict(codec_tensors(inside | {"decoder.lm.weight": torch.zeros(2)}, 4))
    assert_the_same(model, codec.eval())


def test_audiocrafts_layout_holds_the_same_codec() -> None:
    model = theirs()
    tensors, values = as_audiocraft(model)
    config = audiocraft_config(values)
    assert config == transformers_config(model.config.to_dict())
    codec = Encodec(config)
    codec.load_state_dict(codec_tensors(tensors, 4))
    assert_the_same(model, codec.eval())


def test_less_look_ahead_costs_more(capsys: pytest.CaptureFixture[str]) -> None:
    """Of weights that were never trained; what it costs of real ones is told when they are adopted."""
    model = theirs()
    codes = torch.randint(0, 64, (2, 4, 60))
    with torch.no_grad():
        exact = ours(model).decode(codes)
        losses = [float((ours(model, look).decode(codes) - exact).pow(2).mean()) for look in (2, 1, 0)]
    assert 0.0 < losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"norm_type": "time_group_norm"}, "time_group_norm"),
        ({"normalize": True}, "loudness"),
        ({"audio_channels": 2}, "2 channels"),
        ({"pad_mode": "circular"}, "circular"),
        ({"model_type": "dac"}, "'dac'"),
    ],
)
def test_what_cannot_be_streamed_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PublishedError, match=words):
        transformers_config({"model_type": "encodec"} | SMALL | changes)


def test_missing_tensors_are_named() -> None:
    tensors = theirs().state_dict()
    with pytest.raises(PublishedError, match="codebook 3"):
        codec_tensors({name: value for name, value in tensors.items() if "quantizer.layers.3" not in name}, 4)
    lone = {
        name: value for name, value in tensors.items() if "layers.0.conv.parametrizations.weight.original0" not in name
    }
    with pytest.raises(PublishedError, match=r"encoder\.layers\.0\.conv"):
        codec_tensors(lone, 4)
    with pytest.raises(PublishedError, match="seanet"):
        audiocraft_config({"encodec": {}})
