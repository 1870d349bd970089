"""Whole performances with engines that are damaged or cannot be here: a line is said, and the show goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines import machine
from engines.artifacts import manifest_of
from engines.bundles import artifacts_of, find_bundle
from engines.registry import check_backend
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.live

TAKING_OVER_S = 8.0
"""It is looked each second whether something better was built; then that is opened and run a few times on nothing."""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the default bundle with its engines, to be spoilt."""
    return shutil.copytree(find_bundle("default"), tmp_path / "bundle")


def built_well(bundle: Path, network: str) -> bool:
    try:
        entry = json.loads(manifest_of(bundle, "onnxruntime", network).read_text())
    except (OSError, ValueError):
        return False
    return not entry.get("spoilt")


def test_damaged_engines_are_built_again_beside_the_show_and_take_over(stage: ShowFolder, bundle: Path) -> None:
    (artifacts_of(bundle) / "decoder.onnx").write_bytes(b"no engine")
    manifest = manifest_of(bundle, "onnxruntime", "translator")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 0, "spoilt": True}))
    written = (artifacts_of(bundle) / "decoder.onnx").stat().st_mtime_ns
    with stage.begin("--camera", "performer:air@1", "--bundle", str(bundle), *output_of(stage)) as show:
        wait_for(stage.sounding)
        wait_for(lambda: built_well(bundle, "translator"))
        wait_for(lambda: (artifacts_of(bundle) / "decoder.onnx").stat().st_mtime_ns != written)
        signal.sigtimedwait([], TAKING_OVER_S)
        show.send_signal(signal.SIGINT)
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    report = stage.report()
    notes = "\n".join(report["notes"])
    assert "decoder (its file is missing or damaged)" in notes
    assert "translator (it was built by another version of the code)" in notes
    for network, name in (("decoder", "sound"), ("translator", "tokens")):
        assert notes.count(f"{network}: onnxruntime on cpu is ready: it takes over") == 1
        assert report["stages"][name]["restarts"] == 0
        assert report["stages"][name]["info"]["backend"] == "onnxruntime"
    ticks = report["ticks"]
    assert ticks["played"] + ticks["concealed"] == ticks["expected"]
    assert report["audio"]["underruns"] == 0


@pytest.fixture
def few_cores() -> Iterator[None]:
    """What is begun here may use two cores, however many there are."""
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system keeps no process to a few cores")
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(all_of_them)[:2])  # noqa: TID251
    yield
    os.sched_setaffinity(0, all_of_them)  # noqa: TID251


@pytest.mark.skipif(machine.has_gpu(), reason="on a GPU torch performs while engines are built")
@pytest.mark.usefixtures("few_cores")
def test_on_few_cores_most_of_the_engines_are_built_before_the_show(stage: ShowFolder, bundle: Path) -> None:
    small = ("sight", "hearing", "encoder", "decoder", "still", "pose", "drive")
    for network in small:
        manifest_of(bundle, "onnxruntime", network).unlink()
    asked = ("--camera", "performer:air@1", "--bundle", str(bundle), *output_of(stage), "--duration", "4")
    done = stage.perform(*asked)
    assert done.returncode == 0, done.stderr
    assert "preparing 7 networks for this machine, once, about 28 s (onnxruntime" in done.stderr
    assert all(built_well(bundle, network) for network in small)
    report = stage.report()
    assert not any("takes over" in note for note in report["notes"])
    assert all(report["stages"][name]["info"]["backend"] == "onnxruntime" for name in ("motion", "tokens", "sound"))
    assert report["audio"]["underruns"] == 0


@pytest.mark.skipif(not check_backend("tensorrt"), reason="TensorRT runs here")
def test_a_runtime_that_cannot_be_here_is_one_line_and_the_next_best_performs(stage: ShowFolder) -> None:
    done = stage.perform("--camera", "performer:air@1", "--backend", "tensorrt", *output_of(stage), "--duration", "4")
    assert done.returncode == 0, done.stderr
    report = stage.report()
    assert report["backend"] == "onnxruntime"
    said = [line for line in report["notes"] if "tensorrt" in line]
    assert len(said) == 1
    assert "what is fastest of the others is taken" in said[0]
    assert report["audio"]["underruns"] == 0
