"""The shipped bundle, as shipped: its weights obey the law through the engines that perform with them."""

from __future__ import annotations

import os
import sys

import numpy as np
import psutil
import pytest
import torch

from engines.bundles import BUNDLES, find_bundle, learned_networks, read_file, read_manifest, verify_together
from engines.registry import open_engine
from models.codec.codec import Codec
from models.translation.latent import Latent, Motions
from models.translation.translator import Translator, TranslatorInputs
from streaming.conventions import CARDINALITY, EMBEDDING_DIM, FLOW_GRID, TICK_SAMPLES
from training.bundling import load_network

TOLERANCE = 1e-5
"""Relative, in fp32; measured 2e-7 to 2e-6."""


def relative(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / np.abs(want).max())


@pytest.fixture(scope="module")
def codec() -> Codec:
    network = load_network(find_bundle("default"), "codec")
    assert isinstance(network, Codec)
    return network


BACKENDS = pytest.mark.parametrize("backend", ["torch", "onnxruntime"])


@BACKENDS
def test_decoder_engine_equals_the_whole_signal(codec: Codec, backend: str) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, CARDINALITY, (4, 2 * 60))
    engine = open_engine("decoder", backend=backend)
    ticks = [engine.step(frames=codes[:, 2 * n : 2 * n + 2].astype(np.int16))["pcm"] for n in range(60)]
    assert all(pcm.shape == (TICK_SAMPLES,) and pcm.dtype == np.float32 for pcm in ticks)
    with torch.inference_mode():
        whole = codec.decode(torch.from_numpy(codes)[None])[0, 0].numpy()
    assert relative(np.concatenate(ticks), whole) <= TOLERANCE


@BACKENDS
def test_encoder_engine_gives_the_whole_signals_codes(codec: Codec, backend: str) -> None:
    rng = np.random.default_rng(1)
    sound = (0.3 * np.sin(np.cumsum(rng.uniform(0.01, 0.2, TICK_SAMPLES * 40)))).astype(np.float32)
    engine = open_engine("encoder", backend=backend)
    parts = [engine.step(pcm=sound[i : i + TICK_SAMPLES])["frames"] for i in range(0, sound.size, TICK_SAMPLES)]
    got = np.concatenate(parts, axis=1)
    with torch.inference_mode():
        want = codec.encode(torch.from_numpy(sound)[None, None])[0].numpy()
    assert (got == want).mean() > 0.999  # a latent within rounding of two entries may fall either way
    assert got.min() >= 0
    assert got.max() < CARDINALITY


def test_translator_backbone_with_shipped_weights_streams_exactly() -> None:
    model = load_network(find_bundle("default"), "translator")
    assert isinstance(model, Translator)
    generator = torch.Generator().manual_seed(2)
    length = model.config.window * 2 + 7
    times = torch.arange(length, dtype=torch.float64)[None] * 0.04 + 5000.0
    seen = TranslatorInputs(
        torch.randn(1, length, model.config.sight_dim, generator=generator),
        torch.rand(1, length, generator=generator) * 0.04,
        times,
        torch.zeros(1, length),
        torch.zeros(1, length, dtype=torch.int64),
        torch.ones(1, length),
        torch.rand(1, length, model.config.gesture_dim, generator=generator),
    )
    previous = torch.randint(0, CARDINALITY, (1, length, 4, 2), generator=generator)
    known = torch.ones(1, length)
    with torch.inference_mode():
        whole = model(previous, known, seen)
        state = model.init_state(1)
        parts = []
        for n in range(length):
            now = TranslatorInputs(*(value[:, n : n + 1] for value in seen))
            part, state = model.step(previous[:, n : n + 1], known[:, n : n + 1], now, state)
            parts.append(part)
    assert relative(torch.cat(parts, 1).numpy(), whole.numpy()) <= TOLERANCE


def test_the_latent_space_with_shipped_weights_streams_exactly() -> None:
    model = load_network(find_bundle("default"), "latent")
    assert isinstance(model, Latent)
    generator = torch.Generator().manual_seed(3)
    seen = Motions(
        torch.randn(1, 60, 2, FLOW_GRID, FLOW_GRID, generator=generator) * 0.3,
        torch.rand(1, 60, FLOW_GRID, FLOW_GRID, generator=generator) * 0.5,
        torch.randn(1, 60, EMBEDDING_DIM, generator=generator) * 0.5,
        torch.rand(1, 60, generator=generator) * 0.04,
    )
    sound = model.sound_of(torch.randint(0, CARDINALITY, (1, 60, 4, 2), generator=generator))
    with torch.inference_mode():
        state, heard = model.video.init_state(1), model.audio.init_state(1)
        seen_parts, heard_parts = [], []
        for n in range(60):
            part, state = model.video.step(Motions(*(value[:, n : n + 1] for value in seen)), state)
            seen_parts.append(part)
            part, heard = model.audio.step(sound[:, n : n + 1], heard)
            heard_parts.append(part)
        assert relative(torch.cat(seen_parts, 1).numpy(), model.video(seen).numpy()) <= TOLERANCE
        assert relative(torch.cat(heard_parts, 1).numpy(), model.audio(sound).numpy()) <= TOLERANCE


@BACKENDS
def test_translator_engine_is_reproducible_and_forgets_on_reset(backend: str) -> None:
    engine = open_engine("translator", seed=7, backend=backend)
    rng = np.random.default_rng(3)
    latents = rng.standard_normal((20, engine.spec.config["sight_dim"])).astype(np.float32)

    def perform() -> np.ndarray:
        return np.stack(
            [
                engine.step(
                    latent=latents[n],
                    age_s=0.01,
                    time_s=n * 0.04,
                    temperature=0.8,
                    anticipation_s=0.0,
                )["frames"]
                for n in range(20)
            ]
        )

    first = perform()
    assert first.shape == (20, 4, 2)
    assert first.dtype == np.int16
    engine.reset()
    assert np.array_equal(perform(), first)


@BACKENDS
def test_stepped_ticks_need_no_more_memory_with_time(backend: str) -> None:
    """`ANTIPHON_SOAK_TICKS=90000` makes it an hour."""
    ticks = int(os.environ.get("ANTIPHON_SOAK_TICKS", "1500"))
    sight = open_engine("sight", backend=backend)
    translator = open_engine("translator", seed=1, backend=backend)
    decoder = open_engine("decoder", backend=backend)
    rng = np.random.default_rng(4)
    process, megabytes = psutil.Process(), []
    for n in range(ticks):
        flow = rng.normal(0, 0.3, (2, FLOW_GRID, FLOW_GRID)).astype(np.float32)
        seen = sight.step(
            flow=flow,
            speed=np.abs(flow).mean(0),
            embedding=rng.normal(0, 0.5, EMBEDDING_DIM).astype(np.float32),
            age_s=0.01,
        )
        codes = translator.step(
            latent=seen["latent"],
            age_s=0.01,
            time_s=n * 0.04,
            temperature=0.8,
            anticipation_s=0.0,
        )["frames"]
        pcm = decoder.step(frames=codes)["pcm"]
        if n % 250 == 249:
            assert np.isfinite(pcm).all()
            megabytes.append(process.memory_info().rss / 1e6)
    # The first hundreds of ticks fill allocators' caches.
    grown = max(megabytes[2:]) - megabytes[1]
    sys.stderr.write(f"\n{backend}: {ticks} ticks, {megabytes[1]:.1f} MB after 500, then {grown:+.1f} MB at most\n")
    assert grown < 4.0


SHIPPED = sorted(path.parent.name for path in BUNDLES.glob("*/manifest.json"))
LARGEST_MB = {"spectrogram": 20.0}
"""What a bundle may weigh, where it is promised."""


@pytest.mark.parametrize("bundle", SHIPPED)
def test_the_manifest_says_what_made_the_bundle_and_how_good_it_is(bundle: str) -> None:
    folder = find_bundle(bundle)
    manifest = read_manifest(folder)
    assert manifest["licence"] == "Apache-2.0"
    for name, entry in manifest["networks"].items():
        assert entry["training"]["command"].startswith(("python -m training.train", "python -m training.blend")), name
        assert len(read_file(folder, entry)) == (folder / entry["file"]).stat().st_size
    for network in learned_networks(folder):
        verify_together(folder, network)
    size_mb = sum((folder / entry["file"]).stat().st_size for entry in manifest["networks"].values()) / 1e6
    assert size_mb <= LARGEST_MB.get(bundle, 40.0)
    scores = manifest["scores"]["forward"]
    assert scores["n_clips"] >= 40
    assert scores["onset_f1_50ms_interval"][0] > scores["onset_f1_50ms_shuffled"]
    assert scores["onset_f1_50ms_interval"][0] > scores["onset_f1_50ms_rule"]
    assert scores["loudness_correlation_interval"][0] > scores["loudness_correlation_shuffled"]
    assert scores["stillness_drop_db"] >= 20.0


def test_the_shipped_bundles_are_one_of_tokens_and_one_of_spectrograms() -> None:
    assert set(SHIPPED) >= {"default", "spectrogram"}
    assert "codec" in read_manifest(find_bundle("default"))["networks"]
    assert "vocoder" in read_manifest(find_bundle("spectrogram"))["networks"]
