"""A bundle of spectrograms plays through the same engines as one of tokens, and is scored by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engines.bundles import find_bundle, learned_networks
from engines.registry import open_engine
from export.build import build_artifacts
from models.codec.mel import MelConfig, Vocoder
from models.translation.latent import Latent, LatentConfig
from models.translation.translator import Translator, TranslatorConfig
from training.bundling import load_network, write_network
from training.evaluation.codec import through_codec
from training.evaluation.forward_loop import ResponseSettings, respond_to_performer

MEL = MelConfig(bands=24, short_bands=4, width=16, dilations=(1,))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small and untrained, but for the shipped visual network."""
    folder = tmp_path_factory.mktemp("mel")
    torch.manual_seed(0)
    write_network(folder, "embedding", load_network(find_bundle("default"), "embedding"), {})
    write_network(folder, "vocoder", Vocoder(MEL), {})
    write_network(folder, "latent", Latent(LatentConfig(dim=16, hidden=16, dilations=(1,), mel_dim=MEL.dim)), {})
    sizes = {"dim": 32, "heads": 2, "layers": 1, "depth_dim": 16, "sight_dim": 16}
    write_network(folder, "translator", Translator(TranslatorConfig(**sizes, mel_dim=MEL.dim)), {})  # type: ignore[arg-type]
    build_artifacts(folder)
    return folder


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_every_engine_speaks_spectrograms(bundle: Path, backend: str) -> None:
    assert set(learned_networks(bundle)) == {"embedding", "sight", "hearing", "translator", "encoder", "decoder"}
    where: dict[str, Any] = {"bundle": str(bundle), "backend": backend}
    frames = open_engine("encoder", **where).step(pcm=np.zeros(1280, np.float32))["frames"]
    assert (frames.shape, str(frames.dtype)) == ((MEL.dim, 2), "float32")
    assert open_engine("decoder", **where).step(frames=frames)["pcm"].shape == (1280,)
    assert open_engine("hearing", **where).step(frames=frames)["latent"].shape == (16,)
    translator = open_engine("translator", seed=1, **where)
    controls = {"age_s": 0.01, "temperature": 0.5, "anticipation_s": 0.0, "guidance": 1.5, "voice": 0}
    made = [translator.step(latent=np.ones(16, np.float32), time_s=0.04 * n, **controls)["frames"] for n in range(5)]
    assert all(x.shape == (MEL.dim, 2) and x.dtype == np.float32 and np.isfinite(x).all() for x in made)
    assert not np.array_equal(made[0], made[4])


def test_chance_is_the_temperatures(bundle: Path) -> None:
    def play(seed: int, temperature: float) -> np.ndarray:
        translator = open_engine("translator", bundle=str(bundle), seed=seed)
        controls = {"age_s": 0.01, "anticipation_s": 0.0, "guidance": 1.0, "voice": 0, "temperature": temperature}
        found = translator.step(latent=np.ones(16, np.float32), time_s=0.0, **controls)["frames"]
        return np.asarray(found)

    np.testing.assert_allclose(play(1, 0.0), play(2, 0.0), atol=0.02)
    assert float(np.abs(play(1, 1.0) - play(2, 1.0)).max()) > 0.02


def test_the_same_scores_are_made(bundle: Path) -> None:
    assert respond_to_performer(9_000_000, ResponseSettings(str(bundle), 0.5)).music.shape[0] % 1280 == 0
    sound = (0.1 * np.random.default_rng(0).standard_normal(1280 * 5)).astype(np.float32)
    assert through_codec(sound, str(bundle)).shape == sound.shape
