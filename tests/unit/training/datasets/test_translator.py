"""What was prepared of a clip is found again as long as what hears and sees it is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import nn

from engines.bundles import find_bundle
from training.bundling import load_network, write_network
from training.datasets.translator import prepared_file


def changed(bundle: Path, part: str) -> None:
    """Train, as it were, one part of the codec."""
    codec = load_network(bundle, "codec")
    module = getattr(codec, part)
    assert isinstance(module, nn.Module)
    with torch.no_grad():
        next(module.parameters()).add_(0.01)
    write_network(bundle, "codec", codec, {})


def test_a_decoder_that_was_trained_further_hears_the_same(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    shipped = find_bundle("default")
    for name in ("manifest.json", "codec.safetensors", "embedding.safetensors"):
        shutil.copyfile(shipped / name, bundle / name)
    recording = Path("performance-7-v3.npz")
    before = prepared_file(recording, bundle)
    changed(bundle, "decoder")
    assert prepared_file(recording, bundle) == before
    changed(bundle, "encoder")
    assert prepared_file(recording, bundle) != before
