"""Codecs as audiocraft's objects, mono and stereo, and those of a stereo MusicGen; fakes stand for the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from transformers import EncodecModel

from models.codec.encodec import Encodec
from models.codec.published_codecs import PublishedError
from tests.encodecs import as_audiocraft, theirs
from training.adopt.__main__ import main
from training.adopt.audiocraft import parts_of
from training.bundling import load_network


class Own:
    """Audiocraft's `EncodecModel` as its loader leaves it: with its configuration."""

    def __init__(self, cfg: Any = None) -> None:
        self._tensors, values = as_audiocraft(theirs())
        self.cfg = values if cfg is None else cfg

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._tensors


class HFEncodecCompressionModel:
    """Its wrapper of Transformers' model."""

    def __init__(self, model: EncodecModel) -> None:
        self.model = model


class InterleaveStereoCompressionModel:
    """Its stereo wrapper."""

    def __init__(self, model: Any) -> None:
        self.model = model


class Config:
    """An omegaconf configuration."""


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """An audiocraft that has these models."""
    there: dict[str, Any] = {}
    models, omegaconf = ModuleType("audiocraft.models"), ModuleType("omegaconf")
    models.CompressionModel = SimpleNamespace(get_pretrained=lambda name, device: there[name])  # type: ignore[attr-defined]
    values = as_audiocraft(theirs())[1]
    omegaconf.OmegaConf = SimpleNamespace(to_yaml=lambda cfg: yaml.safe_dump(values))  # type: ignore[attr-defined]
    for name, module in (("audiocraft", ModuleType("audiocraft")), ("audiocraft.models", models)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "omegaconf", omegaconf)
    return there


@torch.no_grad()
def assert_says_the_same(bundle: Path) -> None:
    codec = load_network(bundle, "codec")
    assert isinstance(codec, Encodec)
    codes = torch.randint(0, 2048, (1, 4, 20))
    want = theirs().decode(codes[None], [None]).audio_values
    assert float((codec.decode(codes) - want).abs().max() / want.abs().max()) < 1e-5


@pytest.mark.parametrize("kind", ["own", "omegaconf", "wrapped", "stereo"])
def test_by_name_where_audiocraft_is(
    kind: str, package: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package["facebook/encodec_32khz"] = {
        "own": Own(),
        "omegaconf": Own(Config()),
        "wrapped": HFEncodecCompressionModel(theirs()),
        "stereo": InterleaveStereoCompressionModel(HFEncodecCompressionModel(theirs())),
    }[kind]
    asked = ["codec", "facebook/encodec_32khz", "--audiocraft", "--out", str(tmp_path / "bundle")]
    assert main(asked) == 2
    assert "--accept-licence" in capsys.readouterr().err
    assert main([*asked, "--accept-licence"]) == 0
    assert ("of a stereo MusicGen" in capsys.readouterr().out) == (kind == "stereo")
    assert_says_the_same(tmp_path / "bundle")
    assert main([*asked, "--accept-licence", "--offline"]) == 2
    assert "audiocraft would ask the hub" in capsys.readouterr().err


def test_without_audiocraft_and_what_it_does_not_give(
    package: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["codec", "facebook/none", "--audiocraft", "--out", str(tmp_path), "--accept-licence"]
    assert main(asked) == 2
    assert "audiocraft does not give it" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "audiocraft.models", None)
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "audiocraft is not installed here" in said
    assert said.count("\n") == 1
    with pytest.raises(PublishedError, match="a SimpleNamespace is no EnCodec"):
        parts_of(SimpleNamespace(), 0)


@torch.no_grad()
def test_a_stereo_musicgen_gives_its_mono_codec(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tokens are left and right in turn, 8 = 4 x 2; each side is what the one codec says of its own four."""
    folder, out = tmp_path / "musicgen-stereo", tmp_path / "bundle"
    folder.mkdir()
    model = theirs()
    config = {"model_type": "musicgen", "audio_encoder": model.config.to_dict(), "decoder": {"audio_channels": 2}}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {f"audio_encoder.{name}": value.clone() for name, value in model.state_dict().items()}
    save_file(tensors | {"decoder.lm_heads.0.weight": torch.zeros(1)}, folder / "model.safetensors")
    assert main(["codec", str(folder), "--out", str(out), "--accept-licence", "--offline"]) == 0
    assert "of a stereo MusicGen the codec is mono" in capsys.readouterr().out
    codec = load_network(out, "codec")
    assert isinstance(codec, Encodec)
    both = torch.randint(0, 2048, (1, 8, 20))
    for side in (0, 1):
        want = model.decode(both[None, :, side::2], [None]).audio_values
        assert float((codec.decode(both[:, side::2]) - want).abs().max() / want.abs().max()) < 1e-5
