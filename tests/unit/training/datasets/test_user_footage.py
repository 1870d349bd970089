"""A data set of one's own becomes examples, and the commands train a bundle on it, or on top of another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from engines.bundles import learned_networks, read_manifest
from models.codec.additive_codec import CodecConfig
from models.codec.codec import Codec
from models.vision.embedding import EmbeddingConfig, VisualEmbedding
from streaming.conventions import MOTION_FEATURES
from training import train
from training.bundling import load_network, write_network
from training.datasets.user_footage import examples_of, sounds_of
from training.footage.dataset import SCHEMA, DatasetError
from training.prepare import networks_hash
from training.synthesis.conventions import CLIP_TICKS

TINY = CodecConfig(width=8, encoder_dilations=(1,), decoder_dilations=(1,), latent_dim=4, cardinality=16)
LENGTHS = {"long": 450, "short": 120}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "bundle"
    codec = Codec(TINY)
    codec.quantizer.codebooks.normal_()
    write_network(folder, "codec", codec, {})
    write_network(folder, "embedding", VisualEmbedding(EmbeddingConfig(widths=(4, 4, 8, 8, 8))), {})
    return folder


@pytest.fixture
def footage(tmp_path: Path, bundle: Path) -> Path:
    folder = tmp_path / "footage"
    rng = np.random.default_rng(0)
    for sub in ("items", "features"):
        (folder / sub).mkdir(parents=True)
    for name, ticks in LENGTHS.items():
        (folder / "items" / f"{name}.json").write_text(
            json.dumps({"name": name, "group": name, "status": "ready"}), encoding="utf-8"
        )
        save_file(
            {
                "flow": rng.normal(0, 0.3, (ticks, 2, 16, 16)).astype(np.float16),
                "speed": rng.random((ticks, 16, 16)).astype(np.float16),
                "embedding": rng.standard_normal((ticks, 128)).astype(np.float16),
                "age_s": rng.uniform(-0.01, 0.04, ticks).astype(np.float32),
                "codes": np.broadcast_to(np.arange(ticks)[:, None, None] % 16, (ticks, 4, 2)).astype(np.int16),
                "features": np.broadcast_to(np.arange(ticks)[:, None] % 8, (ticks, MOTION_FEATURES)).astype(np.float16),
                "mel": np.zeros((4 * ticks, 80), np.float16),
                "sound": (3000 * np.sin(np.arange(ticks * 1280) * 0.05)).astype(np.int16),
            },
            folder / "features" / f"{name}.safetensors",
        )
    about = {"schema": SCHEMA, "networks": networks_hash(bundle), "splits": dict.fromkeys(LENGTHS, "train")}
    (folder / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def test_items_become_clips(footage: Path, bundle: Path) -> None:
    found = examples_of(footage, bundle)
    assert found.codes[:, 0, 0, 0, 0].tolist() == [0, 100 % 16, 200 % 16, 250 % 16, 0]
    assert found.features[:, 0, 0].tolist() == [0, 100 % 8, 200 % 8, 250 % 8, 0]
    assert found.features.shape == (5, CLIP_TICKS, MOTION_FEATURES)
    assert found.flow.shape == (5, CLIP_TICKS, 2, 16, 16)
    assert not found.flow[4, LENGTHS["short"] :].any(), "a short item ends in stillness"
    assert float(found.age.min()) >= 0.0
    assert not found.voice.any(), "nobody said which voice it is"
    assert float(found.pitch[0].float().median()) == pytest.approx(
        69 + 12 * np.log2(0.05 * 32_000 / 2 / np.pi / 440), abs=0.2
    )


def test_its_sound_is_a_corpus(footage: Path) -> None:
    sounds = sounds_of(footage, 8.0)
    assert sounds.shape == (3 + 1, 256_000)
    assert sounds.dtype == np.int16
    assert abs(int(np.abs(sounds[0]).max()) - 3000) <= 2


def test_another_codecs_tokens_are_refused(footage: Path, bundle: Path) -> None:
    write_network(
        bundle,
        "codec",
        Codec(TINY),
        {},
    )
    with pytest.raises(DatasetError, match="prepare it again"):
        examples_of(footage, bundle)
    about = {"schema": SCHEMA, "networks": networks_hash(bundle), "splits": dict.fromkeys(LENGTHS, "test")}
    (footage / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(DatasetError, match="nothing in its split"):
        examples_of(footage, bundle)


def test_a_data_set_without_motion_features_is_refused(footage: Path, bundle: Path) -> None:
    path = footage / "features" / "short.safetensors"
    arrays = load_file(path)
    del arrays["features"]
    save_file(arrays, path)
    with pytest.raises(DatasetError, match=r"motion features; prepare it again"):
        examples_of(footage, bundle)


def test_the_commands_train_a_bundle_and_go_on_from_another(
    footage: Path, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", str(footage), "--work", str(tmp_path / "runs"), "--steps", "2"]
    assert train.main(["latent", *common, "--out", str(bundle)]) == 0
    assert train.main(["translator", *common, "--out", str(bundle)]) == 0
    assert set(learned_networks(bundle)) == {"embedding", "sight", "hearing", "translator", "encoder", "decoder"}
    mine = tmp_path / "mine"
    again = ["--data", str(footage), "--work", str(tmp_path / "mine-runs"), "--steps", "1"]
    assert train.main(["latent", *again, "--from", str(bundle), "--out", str(mine)]) == 0
    assert set(read_manifest(mine)["networks"]) == {"codec", "embedding", "latent", "translator"}
    before, after = (load_network(folder, "latent").state_dict() for folder in (bundle, mine))
    assert any(not after[name].equal(before[name]) for name in before), "one step further"
    assert before["codebooks"].equal(after["codebooks"])
    assert train.main(["latent", *again, "--data", str(tmp_path), "--out", str(mine)]) == 2
    assert "no data set" in capsys.readouterr().err
