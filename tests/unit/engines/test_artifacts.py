"""An artifact is used only where its weights, code, runtime, GPU and file are what they were, else built again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from engines import machine
from engines.artifacts import (
    SCHEMA,
    artifact_entry,
    manifest_of,
    measured_share,
    why_failed,
    why_rebuilt,
    why_stale,
)
from engines.bundles import EXPORT_VERSION, artifacts_of, read_manifest
from models.codec.codec import Codec
from tests.small import codec_config, small_bundle
from training.bundling import write_network

TINY = codec_config()
H100 = machine.Gpu("NVIDIA H100", "sm_90", "570.1")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return small_bundle(tmp_path)


def made(bundle: Path, runtime: str = "onnxruntime", network: str = "decoder", **changed: Any) -> dict[str, Any]:
    """An artifact that fits, but for what is changed."""
    suffix = {"onnxruntime": ".onnx", "tensorrt": ".plan"}[runtime]
    artifacts_of(bundle).mkdir(exist_ok=True)
    (artifacts_of(bundle) / (network + suffix)).write_bytes(b"built")
    entry = {
        "schema": SCHEMA,
        "file": network + suffix,
        "sha256": hashlib.sha256(b"built").hexdigest(),
        "source_sha256": read_manifest(bundle)["networks"]["codec"]["sha256"],
        "version": EXPORT_VERSION,
        "versions": {"tensorrt": "11.0.0"},
        "gpu": {"name": H100.name, "architecture": H100.architecture, "driver": H100.driver},
        "precision": "fp32",
        "asked": "fp32",
        **changed,
    }
    manifest_of(bundle, runtime, network).write_text(json.dumps(entry))
    return entry


def test_what_fits_is_found_again(bundle: Path) -> None:
    assert why_stale(bundle, "onnxruntime", "decoder") == "it was not built yet"
    made(bundle)
    assert artifact_entry(bundle, "onnxruntime", "decoder") is not None
    assert list(why_rebuilt(bundle, "onnxruntime")) == ["encoder"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"source_sha256": "0" * 64}, "other weights"),
        ({"version": EXPORT_VERSION - 1}, "another version of the code"),
        ({"schema": 1}, "cannot be read"),
        ({"sha256": "0" * 64}, "missing or damaged"),
        ({"file": "gone.onnx"}, "missing or damaged"),
        ({"file": "../codec.safetensors"}, "missing or damaged"),
    ],
)
def test_what_does_not_fit_is_built_again_and_the_reason_said(
    bundle: Path, changed: dict[str, Any], reason: str
) -> None:
    made(bundle, **changed)
    assert reason in why_rebuilt(bundle, "onnxruntime")["decoder"]


@pytest.mark.parametrize("text", ["", "[]", "\x00", "{"])
def test_a_broken_manifest_is_a_reason(bundle: Path, text: str) -> None:
    made(bundle)
    manifest_of(bundle, "onnxruntime", "decoder").write_text(text)
    assert "cannot be read" in why_rebuilt(bundle, "onnxruntime")["decoder"]


@pytest.mark.parametrize(
    ("version", "gpu", "reason"),
    [
        ("11.0.0", H100, ""),
        ("11.1.0", H100, "built by tensorrt 11.0.0, here is 11.1.0"),
        ("11.0.0", machine.Gpu("NVIDIA A100", "sm_80", "570.1"), "built for NVIDIA H100, here is NVIDIA A100"),
        ("11.0.0", machine.Gpu("NVIDIA H200", "sm_90", "999"), ""),
        ("11.0.0", None, "here is none"),
    ],
)
def test_a_plan_is_for_one_tensorrt_and_one_architecture(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, version: str, gpu: machine.Gpu | None, reason: str
) -> None:
    made(bundle, "tensorrt")
    made(bundle)
    monkeypatch.setattr(machine, "version", lambda runtime: version)
    monkeypatch.setattr(machine, "gpu", lambda: gpu)
    found = why_stale(bundle, "tensorrt", "decoder")
    assert reason in found
    assert bool(reason) == bool(found)
    assert why_stale(bundle, "onnxruntime", "decoder") == "", "an ONNX file is bound to neither"


def test_what_could_not_be_built_is_not_tried_again_before_something_changes(bundle: Path) -> None:
    made(bundle, failed="an operation that it has not")
    assert artifact_entry(bundle, "onnxruntime", "decoder") is None
    assert why_failed(bundle, "onnxruntime", "decoder") == "an operation that it has not"
    assert list(why_rebuilt(bundle, "onnxruntime")) == ["encoder"]
    torch.manual_seed(9)
    write_network(bundle, "codec", Codec(TINY), {"command": "again"})
    assert why_failed(bundle, "onnxruntime", "decoder") == ""
    assert list(why_rebuilt(bundle, "onnxruntime")) == ["encoder", "decoder"]


def test_another_precision_is_built_where_it_is_asked_for(bundle: Path) -> None:
    made(bundle)
    made(bundle, network="encoder", asked="fp16")
    assert why_rebuilt(bundle, "onnxruntime") == {}
    assert list(why_rebuilt(bundle, "onnxruntime", "fp16")) == ["decoder"], (
        "the encoder is kept in fp32, but it was asked"
    )
    assert why_rebuilt(bundle, "onnxruntime", "int8") == dict.fromkeys(("encoder", "decoder"), "it was built in fp32")


def test_a_time_of_another_machine_does_not_count(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpu", lambda: None)
    here = {"cpu": machine.cpu(), "gpu": None}
    entry = made(bundle, step_ms={"own": 2.0, "torch": 8.0}, measured_on=here)
    assert measured_share(entry) == 0.25
    assert measured_share(entry | {"measured_on": {"cpu": "another", "gpu": None}}) is None
    assert measured_share(made(bundle)) is None
