"""What is built before a show and what beside it, what is said of it, and that nothing of it is left running."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from engines import machine
from engines.bundles import find_bundle
from streaming.runtime import engine_builder
from streaming.runtime.engine_builder import (
    ENOUGH_CORES,
    must_build_first,
    prepare_engines,
    reasons_in_short,
    waiting_line,
)

MOST = ("embedding", "sight", "hearing", "translator", "encoder", "decoder", "painter")
QUICK = """
print('[1/2] sight for onnxruntime in fp32 ...')
print('sight         parity 1.2e-06 of 1.0e-04, 1.2 ms')
print('[2/2] pose for onnxruntime in fp32 ...')
print('pose: 1 ms', end='')
"""
FAILING = "import sys; print('[1/1] sight'); print('no room for it', file=sys.stderr); sys.exit(1)"
ENDLESS = "import os; print('[1/1] sight', flush=True); os.read(0, 1)"


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A bundle that lacks most of its engines, on two cores without a GPU; what builds them is to be set."""
    monkeypatch.setattr(
        engine_builder, "missing_artifacts", lambda backend, bundle: {"onnxruntime": dict.fromkeys(MOST, "none")}
    )
    monkeypatch.setattr(engine_builder, "find_bundle", lambda bundle: tmp_path)
    monkeypatch.setattr(engine_builder, "learned_networks", lambda folder: MOST)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(engine_builder, "cores", lambda: 2)
    return tmp_path


def runs(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(engine_builder, "export_command", lambda folder, runtime: [sys.executable, "-c", script])


def test_few_cores_wait_for_most_of_the_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    assert must_build_first("onnxruntime", MOST, "default", 2)
    assert not must_build_first("onnxruntime", MOST, "default", ENOUGH_CORES)
    assert not must_build_first("onnxruntime", MOST[:3], "default", 2), "a few on torch hold up nothing"
    assert not must_build_first("tensorrt", MOST, "default", 2)
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert not must_build_first("onnxruntime", MOST, "default", 2)


def test_what_comes_first_is_done_when_the_show_begins(lacking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, QUICK)
    said: list[str] = []
    with prepare_engines("auto", "any", say=said.append) as lines:
        assert lines == []
        log = lacking / "artifacts" / "build.log"
        assert said == [
            f"preparing 7 networks for this machine, once, about 28 s (onnxruntime; details: {log})",
            "  1 of 2: sight",
            "  2 of 2: pose",
            "  done",
        ], "and no figures of parity"
        assert not psutil.Process().children()


def test_what_could_not_be_built_is_said_and_the_show_goes_on(lacking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, FAILING)
    with prepare_engines("auto", "any", say=lambda line: None) as lines:
        assert len(lines) == 1
        assert lines[0].startswith("not all networks could be prepared (no room for it); the show goes on without")


def test_where_there_are_cores_it_is_built_beside_the_show(lacking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, ENDLESS)
    monkeypatch.setattr(engine_builder, "cores", lambda: ENOUGH_CORES)
    with prepare_engines("auto", "any", say=pytest.fail) as lines:
        assert lines == [f"networks are prepared for onnxruntime beside the show: {', '.join(MOST)} (none)"]
        assert len(psutil.Process().children()) == 1
    assert not psutil.Process().children()


def test_a_show_that_is_given_up_while_it_waits_leaves_nothing(lacking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, ENDLESS)

    def give_up(line: str) -> None:
        if line.startswith("  "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), prepare_engines("auto", "any", say=give_up):
        pytest.fail("it began")
    assert not psutil.Process().children()


def test_a_whole_bundle_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_builder, "missing_artifacts", lambda backend, bundle: {})
    with prepare_engines("auto", str(find_bundle("default")), first=True, say=pytest.fail) as lines:
        assert lines == []


def test_networks_of_one_reason_are_said_together() -> None:
    line = reasons_in_short({"sight": "missing", "pose": "stale", "still": "missing"})
    assert line == "sight, still (missing); pose (stale)"


def test_who_waits_is_told_for_how_long() -> None:
    assert waiting_line(["pose"]) == "preparing 1 network for this machine, once, about 4 s"
    assert waiting_line([""] * 30).endswith("30 networks for this machine, once, about 2 minutes")
