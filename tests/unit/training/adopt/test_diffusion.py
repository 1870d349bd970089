"""Adopting a diffusion network: diffusers' layout, both licences, words made an embedding, one line for an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from engines.bundles import learned_networks, network_entry, verified_files
from tests.diffusions import pipeline, published
from training.adopt.__main__ import main


def asked(network: Path, autoencoder: Path, out: Path, *more: str) -> list[str]:
    return ["picture", str(network), "--autoencoder", str(autoencoder), "--side", "64", "--out", str(out), *more]


@torch.no_grad()
def test_from_a_folder_of_diffusers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, autoencoder = published(tmp_path)
    out = tmp_path / "bundle"
    given = asked(network, autoencoder, out, "--prompt", "a cat", "--offline")
    assert main(given) == 2
    said = capsys.readouterr()
    assert "licence other" in said.out
    assert "--accept-licence" in said.err
    assert not out.exists()
    assert main([*given, "--accept-licence"]) == 0
    said = capsys.readouterr()
    assert "licence mit" in said.out
    assert "it paints 'a cat' in squares of 64 pixels" in said.out
    entry = network_entry(out, "diffusion")
    names = {str(path.relative_to(out / "diffusion")) for path in verified_files(out, entry)}
    weights = "diffusion_pytorch_model.safetensors"
    folders = ("unet", "autoencoder")
    wanted = {f"{folder}/{name}" for folder in folders for name in ("config.json", weights)}
    assert names == wanted | {"scheduler/scheduler_config.json", "prompt.safetensors"}
    assert learned_networks(out) == []
    words = load_file(out / "diffusion" / "prompt.safetensors")["prompt"]
    want, _ = pipeline(network, autoencoder).encode_prompt("a cat", "cpu", 1, False)
    torch.testing.assert_close(words, want)


def test_half_precision_files_as_the_hub_has_them(tmp_path: Path) -> None:
    network, autoencoder = published(tmp_path, half=True)
    assert (network / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()
    assert main(asked(network, autoencoder, tmp_path / "bundle", "--accept-licence", "--offline")) == 0


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("side", "use a multiple of 64"),
        ("pickle", "weights must be safetensors"),
        ("schedule", "layout of diffusers"),
        ("words", "text_encoder and tokenizer cannot be read"),
        ("hub", "--offline was given; copy its folder here"),
        ("config", "diffusers cannot read it"),
    ],
)
def test_what_is_wrong_is_one_line(case: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network, autoencoder = published(tmp_path)
    more = ["--side", "100"] if case == "side" else []
    if case == "pickle":
        weights = network / "unet" / "diffusion_pytorch_model.safetensors"
        weights.rename(weights.with_suffix(".bin"))
    elif case == "schedule":
        (network / "scheduler" / "scheduler_config.json").unlink()
    elif case == "words":
        (network / "text_encoder" / "model.safetensors").write_bytes(b"no weights")
    elif case == "hub":
        network = Path("antiphon-tests/no-such-network")
    elif case == "config":
        path = network / "unet" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"cross_attention_dim": 24}))
    assert main(asked(network, autoencoder, tmp_path / "b", "--accept-licence", "--offline", *more)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert words in said[-1]
    assert sum(str(network) in line for line in said) >= 1
