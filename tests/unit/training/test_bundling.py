"""Networks that go from one bundle into another, and what identifies a spectrogram."""

from __future__ import annotations

from pathlib import Path

from engines.bundles import find_bundle, identity, read_manifest, verify_together
from models.codec.mel import MelConfig, Vocoder
from training.bundling import take_networks, write_network


def test_networks_of_another_bundle_are_taken_with_what_they_are_trained_with_now(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_network(folder, "vocoder", Vocoder(MelConfig(bands=8, short_bands=2, width=8, dilations=(1,))), {})
    lines = take_networks(find_bundle("default"), folder, ["embedding", "kind"])
    assert len(lines) == 2
    there = read_manifest(folder)["networks"]
    default = read_manifest(find_bundle("default"))["networks"]
    assert there["embedding"]["sha256"] == default["embedding"]["sha256"]
    assert there["kind"]["trained_with"] == {"embedding": there["embedding"]["sha256"]}
    assert there["embedding"]["training"] == default["embedding"]["training"]
    verify_together(folder, "kind")


def test_a_spectrogram_is_the_same_whatever_its_vocoder_has_learned(tmp_path: Path) -> None:
    sizes = MelConfig(bands=8, short_bands=2, width=8, dilations=(1,))
    found = []
    for name in ("a", "b"):
        write_network(tmp_path / name, "vocoder", Vocoder(sizes), {})
        found.append(read_manifest(tmp_path / name)["networks"]["vocoder"])
    assert found[0]["sha256"] != found[1]["sha256"]
    assert identity(found[0]) == identity(found[1])
