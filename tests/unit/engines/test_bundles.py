"""A bundle is loaded only if every byte is what its manifest says."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engines.bundles import InvalidBundleError, find_bundle, read_file, read_manifest
from engines.contract import EngineError
from engines.registry import open_engine
from models.codec.codec import Codec
from models.weights import WeightsError
from tests.small import codec_config, small_bundle
from training.bundling import load_network, write_network, write_scores

TINY = codec_config()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small_bundle(tmp_path)


def rehash(folder: Path) -> None:
    """Make the manifest agree with a tampered file, so that the next check is reached."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["networks"]["codec"]["sha256"] = hashlib.sha256((folder / "codec.safetensors").read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


def test_written_networks_come_back_in_half_precision(bundle: Path) -> None:
    torch.manual_seed(0)
    original = Codec(TINY).eval()
    loaded = load_network(bundle, "codec")
    for name, value in original.state_dict().items():
        stored = value.half().float() if value.is_floating_point() else value
        assert torch.equal(loaded.state_dict()[name], stored), name


def test_wrong_hash_is_refused(bundle: Path) -> None:
    weights = bundle / "codec.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(InvalidBundleError, match="hash does not match"):
        load_network(bundle, "codec")


def test_a_damaged_artifact_is_to_be_exported_again(bundle: Path) -> None:
    (bundle / "decoder.onnx").write_bytes(b"not what it was")
    with pytest.raises(InvalidBundleError, match=r"damaged: export it again: python -m export mine"):
        read_file(bundle, {"file": "decoder.onnx", "sha256": "0" * 64}, "export it again: python -m export mine")


def test_missing_tensor_is_named(bundle: Path) -> None:
    tensors = load_file(bundle / "codec.safetensors")
    gone = sorted(tensors)[3]
    del tensors[gone]
    save_file(tensors, bundle / "codec.safetensors")
    rehash(bundle)
    with pytest.raises(WeightsError, match=f"tensor {gone} is missing"):
        load_network(bundle, "codec")


def test_wrong_shape_is_named(bundle: Path) -> None:
    tensors = load_file(bundle / "codec.safetensors")
    tensors["quantizer.codebooks"] = torch.zeros(4, 9, 4)
    save_file(tensors, bundle / "codec.safetensors")
    rehash(bundle)
    with pytest.raises(WeightsError, match=r"quantizer\.codebooks has another shape"):
        load_network(bundle, "codec")


def test_a_pickle_in_place_of_safetensors_is_refused_and_never_run(bundle: Path) -> None:
    ran = bundle / "ran"
    # A pickle that would create a file if anything unpickled it: protocol 0, calling builtins.open.
    (bundle / "codec.safetensors").write_bytes(f"cbuiltins\nopen\n(V{ran}\nVw\ntR.".encode())
    rehash(bundle)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_network(bundle, "codec")
    with pytest.raises(EngineError, match="not a safetensors file"):
        open_engine("decoder", bundle=str(bundle), backend="torch")
    assert not ran.exists()


@pytest.mark.parametrize("file", ["../codec.safetensors", "codec.bin", "/etc/passwd"])
def test_files_outside_the_bundle_or_of_another_kind_are_refused(bundle: Path, file: str) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["networks"]["codec"]["file"] = file
    path.write_text(json.dumps(manifest))
    with pytest.raises(InvalidBundleError, match="safetensors"):
        load_network(bundle, "codec")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": 99, "networks": {}}',
        '{"schema": 1}',
        "\x00",
        "[" * 200_000,
        '{"schema": 1, "networks": ' + '{"a":' * 100_000 + "1" + "}" * 100_001,
        '{"schema": 1, "networks": {"codec": {"file": 7}}}',
        '{"schema": 1, "networks": {"codec": {"file": "c.safetensors", "config": [1]}}}',
        '{"schema": 1, "networks": {"codec": {"trained_with": ["codec"]}}}',
        '{"schema": 1, "networks": {"codec": {"files": [3]}}}',
    ],
)
def test_a_broken_manifest_is_one_line(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(InvalidBundleError) as caught:
        read_manifest(bundle)
    assert "\n" not in str(caught.value)


def test_no_bundle_says_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidBundleError, match="default"):
        find_bundle(str(tmp_path / "none"))


def test_the_engine_says_the_same_line(bundle: Path) -> None:
    (bundle / "codec.safetensors").unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        open_engine("decoder", bundle=str(bundle), backend="torch")


def test_scores_belong_to_the_weights_they_were_measured_on(bundle: Path) -> None:
    write_scores(bundle, "forward", {"onset_f1_50ms": 0.5})
    assert read_manifest(bundle)["scores"]["forward"]["onset_f1_50ms"] == 0.5
    write_network(bundle, "codec", Codec(TINY), {"command": "again"})
    assert "scores" not in read_manifest(bundle)


def test_a_fifo_or_a_device_in_a_bundle_is_not_waited_for(bundle: Path) -> None:
    weights = bundle / "codec.safetensors"
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(EngineError, match="no regular file"):
        open_engine("decoder", bundle=str(bundle), backend="torch")
    weights.unlink()
    weights.symlink_to("/dev/zero")
    with pytest.raises(EngineError, match="no safetensors"):
        open_engine("decoder", bundle=str(bundle), backend="torch")
    manifest = bundle / "manifest.json"
    manifest.unlink()
    os.mkfifo(manifest)
    for attempt in (lambda: read_manifest(bundle), lambda: find_bundle(str(bundle))):
        with pytest.raises(EngineError, match=r"no regular file|no bundle"):
            attempt()


@pytest.mark.parametrize("config", [{"filters": "x"}, {"filters": -1}, {"filters": 10**15}, {"unknown": 1}])
def test_an_odd_configuration_is_one_line(bundle: Path, config: dict[str, object]) -> None:
    path = bundle / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["networks"]["codec"]["config"].update(config)
    path.write_text(json.dumps(manifest))
    with pytest.raises(EngineError) as caught:
        open_engine("decoder", bundle=str(bundle), backend="torch")
    assert "\n" not in str(caught.value)
