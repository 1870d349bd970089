"""End to end: the same seed and the same performance give the same tokens in every runtime, whoever runs a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines import machine
from engines.bundles import find_bundle
from engines.contract import Engine
from engines.registry import RUNTIMES, open_engine
from export.build import build_artifacts
from performers.performer import SyntheticPerformer
from streaming.stages.motion import MotionReader

SECONDS = 4
NETWORKS = ("embedding", "sight", "translator", "decoder")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped bundle, with engines of its own in single precision."""
    import shutil

    folder = tmp_path_factory.mktemp("tokens") / "default"
    shutil.copytree(find_bundle("default"), folder, ignore=shutil.ignore_patterns("artifacts"))
    build_artifacts(folder, "onnxruntime", "fp32", NETWORKS)
    return folder


def engine(network: str, bundle: Path, backend: str) -> Engine:
    made = open_engine(network, bundle=str(bundle), backend=backend, seed=5)
    assert made.spec.runtime == backend
    return made


def played(bundle: Path, backend: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The tokens and the sound of a performance: camera, flow, embedding, sight, translator, decoder."""
    performer = SyntheticPerformer(kind, 3, size=(256, 192), duration_s=float(SECONDS))
    reader = MotionReader(open_engine("flow"), engine("embedding", bundle, backend))
    sight, translator, decoder = (engine(name, bundle, backend) for name in ("sight", "translator", "decoder"))
    tokens, sound = [], []
    for tick in range(25 * SECONDS):
        motion = reader.read(performer.frame(tick / 25), tick * 40_000_000 + 1)
        seen = sight.step(flow=motion.flow, speed=motion.speed, embedding=motion.embedding, age_s=0.02)["latent"]
        controls = {"temperature": 0.4, "anticipation_s": 0.04, "guidance": 1.5, "voice": 0}
        frames = translator.step(latent=seen, age_s=0.02, time_s=3600 + tick * 0.04, **controls)["frames"]
        tokens.append(frames)
        sound.append(decoder.step(frames=frames)["pcm"])
    return np.stack(tokens), np.concatenate(sound)


@pytest.mark.parametrize("kind", ["keys", "drums"])
def test_the_same_seed_and_performance_give_the_same_tokens(bundle: Path, kind: str) -> None:
    want, heard = played(bundle, "torch", kind)
    assert len(np.unique(want)) > 20, "something is played"
    others = ["onnxruntime"]
    if machine.has_gpu() and all(machine.is_installed(name) for name in ("tensorrt", "torch_tensorrt")):
        build_artifacts(bundle, "tensorrt", "fp32", NETWORKS)
        others.append("tensorrt")
    for backend in others:
        got, sound = played(bundle, backend, kind)
        assert np.array_equal(got, want), f"{backend}: {(got != want).mean():.2%} of the tokens differ"  # measured 0
        assert np.abs(sound - heard).max() <= 1e-5 * np.abs(heard).max()  # measured 2e-6
    assert set(others) < set(RUNTIMES)
