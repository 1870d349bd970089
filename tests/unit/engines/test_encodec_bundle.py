"""A bundle with MusicGen's kind of codec: both runtimes stream it behind its latency, and say how long that is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.registry import open_engine
from export.build import build_artifacts
from models.codec.encodec import Encodec
from models.codec.encodec_layers import EXACT, EncodecConfig
from training.bundling import load_network, write_network
from training.evaluation.codec import through_codec

BACKENDS = ("torch", "onnxruntime")


@pytest.fixture(scope="module", params=[EXACT, 1])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small and untrained."""
    folder = tmp_path_factory.mktemp("encodec")
    torch.manual_seed(0)
    codec = Encodec(EncodecConfig(num_filters=4, latent_dim=16, look_ahead=request.param))
    write_network(folder, "codec", codec, {}, exact=True)
    entries = build_artifacts(folder)
    assert entries["decoder"]["latency_samples"] == codec.decoder.latency
    return folder


def test_both_runtimes_say_what_the_whole_signal_says(bundle: Path) -> None:
    codec = load_network(bundle, "codec")
    assert isinstance(codec, Encodec)
    codes = np.random.default_rng(0).integers(0, 2048, (12, 4, 2)).astype(np.int16)
    with torch.no_grad():
        whole = codec.decode(torch.from_numpy(np.concatenate(codes, 1)[None]).long())[0, 0].numpy()
    late = codec.decoder.latency
    for backend in BACKENDS:
        engine = open_engine("decoder", bundle=str(bundle), backend=backend)
        assert engine.spec.latency_samples == late
        streamed = np.concatenate([engine.step(frames=tick)["pcm"] for tick in codes])
        assert streamed.shape == whole.shape
        assert np.abs(streamed[late:] - whole[:-late]).max() < 1e-4 * np.abs(whole).max()


def test_what_is_heard_is_the_same_tokens_later(bundle: Path) -> None:
    codec = load_network(bundle, "codec")
    assert isinstance(codec, Encodec)
    pcm = 0.1 * np.random.default_rng(1).standard_normal(12 * 1280).astype(np.float32)
    with torch.no_grad():
        whole = codec.encode(torch.from_numpy(pcm)[None, None])[0].numpy()
    late = codec.encoder.latency
    for backend in BACKENDS:
        engine = open_engine("encoder", bundle=str(bundle), backend=backend)
        assert engine.spec.latency_samples == 640 * late
        heard = np.concatenate([engine.step(pcm=tick)["frames"] for tick in pcm.reshape(-1, 1280)], 1)
        assert (heard[:, late:] == whole[:, : whole.shape[1] - late]).mean() > 0.98


def test_its_scores_compare_what_belongs_together(bundle: Path) -> None:
    sound = 0.1 * np.random.default_rng(2).standard_normal(12 * 1280).astype(np.float32)
    codec = load_network(bundle, "codec")
    assert isinstance(codec, Encodec)
    said = through_codec(sound, str(bundle))
    with torch.no_grad():
        whole = codec.decode(codec.encode(torch.from_numpy(sound)[None, None]))[0, 0].numpy()
    assert said.shape == sound.shape
    middle = slice(4000, 8000)
    assert np.corrcoef(said[middle], whole[middle])[0, 1] > 0.95
