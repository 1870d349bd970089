"""Adopting a published codec: both file layouts, its licence, and one clear line for whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from models.codec.encodec import Encodec
from tests.encodecs import as_audiocraft, theirs
from training.adopt.__main__ import main
from training.adopt.codec import AUDIOCRAFT, read_published
from training.adopt.licences import licence_of
from training.bundling import load_network


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder as the hub has it."""
    folder = tmp_path / "published"
    theirs().save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n# A codec\n")
    return folder


@torch.no_grad()
def assert_says_the_same(bundle: Path) -> None:
    codec = load_network(bundle, "codec")
    assert isinstance(codec, Encodec)
    codes = torch.randint(0, 2048, (1, 4, 20))
    want = theirs().decode(codes[None], [None]).audio_values
    assert float((codec.decode(codes) - want).abs().max() / want.abs().max()) < 1e-5


def test_transformers_layout(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bundle"
    asked = ["codec", str(published), "--out", str(out), "--offline"]
    assert main(asked) == 2
    said = capsys.readouterr()
    assert "licence cc-by-nc-4.0" in said.out
    assert "--accept-licence" in said.err
    assert not (out / "manifest.json").exists()
    assert main([*asked, "--accept-licence", "--look-ahead", "exact"]) == 0
    assert "75 ms later" in capsys.readouterr().out
    assert_says_the_same(out)
    entry = json.loads((out / "manifest.json").read_text())["networks"]["codec"]
    assert entry["training"] == {"adopted": str(published), "licence": "cc-by-nc-4.0"}


def test_audiocrafts_layout(tmp_path: Path) -> None:
    folder, out = tmp_path / "theirs", tmp_path / "bundle"
    folder.mkdir()
    tensors, values = as_audiocraft(theirs())
    # As it is dumped there: some values are taken over from others.
    values["seanet"]["causal"], values["encodec"]["channels"] = "${encodec.causal}", "${channels}"
    package = {"best_state": tensors, "xp.cfg": yaml.safe_dump(values), "version": "1.3.0", "exported": True}
    torch.save(package, folder / AUDIOCRAFT)
    assert main(["codec", str(folder), "--out", str(out), "--accept-licence", "--look-ahead", "1"]) == 0
    codec = load_network(out, "codec")
    assert isinstance(codec, Encodec)
    assert codec.decoder.latency == 1122
    assert main(["codec", str(folder / AUDIOCRAFT), "--out", str(out), "--accept-licence"]) == 0
    assert_says_the_same(out)


def test_a_checkpoint_that_names_anothers_codec(published: Path, tmp_path: Path) -> None:
    folder = tmp_path / "musicgen"
    folder.mkdir()
    torch.save({"pretrained": str(published)}, folder / AUDIOCRAFT)
    assert read_published(str(folder), offline=True).source == str(published)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this was run",)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nothing", "neither config.json and model.safetensors nor"),
        ("hostile", "no checkpoint of plain tensors"),
        ("cut", "not a safetensors file"),
        ("other", "'dac'"),
        ("rate", "24000 Hz"),
        ("tensor", "is missing"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    name: str, words: str, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = published
    config = json.loads((published / "config.json").read_text())
    if name == "nothing":
        folder = tmp_path / "empty"
        folder.mkdir()
    elif name == "hostile":
        folder = tmp_path / "hostile"
        folder.mkdir()
        torch.save({"best_state": Hostile()}, folder / AUDIOCRAFT)
    elif name == "cut":
        (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    elif name == "other":
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "dac"}))
    elif name == "rate":
        (folder / "config.json").write_text(json.dumps(config | {"sampling_rate": 24_000, "target_bandwidths": [1.65]}))
    elif name == "tensor":
        (folder / "config.json").write_text(json.dumps(config | {"num_lstm_layers": 3}))
    assert main(["codec", str(folder), "--out", str(tmp_path / "b"), "--accept-licence", "--offline"]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert "this was run" not in said.out
    assert not (tmp_path / "b" / "manifest.json").exists()


def test_the_hub_is_not_asked_offline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["codec", "antiphon-tests/no-such-model", "--out", str(tmp_path), "--offline"]
    assert main(asked) == 2
    assert "--offline was given; copy its folder here" in capsys.readouterr().err
    assert main(["codec", "no/such/folder", "--out", str(tmp_path)]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_what_is_known_of_a_licence(tmp_path: Path) -> None:
    assert licence_of("facebook/encodec_32khz", tmp_path) == "cc-by-nc-4.0"
    assert licence_of("facebook/musicgen-small", tmp_path) == "cc-by-nc-4.0"
    assert licence_of("someone/something", tmp_path) == "unknown"
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n")
    assert licence_of("someone/something", tmp_path) == "mit"
