"""docs/extending.md is true: each of its additions is made in a copy of the checkout, by the page, and runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.live.extending import Edit, copy_of_checkout, edits, sections

SECTIONS = ("Add a stage", "Add a network", "Add a control", "Add a device")
MAX_LINES = 40
MAX_TOUCHED = 2
SHOW_S = 8
CALM_FLOW = """
import numpy as np
from streaming.schema.messages import Hearing, Scene, Set
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages.flow import FlowStage
from streaming.telemetry.metrics import Metrics

stage = FlowStage(network_finder=lambda network, bundle: False)
stage.setup(Context(Show(controls={"calm": 0.5}), Metrics()))
still = np.zeros((128, 128, 3), np.uint8)

def moved(*controls):
    scene = Scene(identity=str(len(controls)), image=still, still=still)
    heard = Hearing(tick=0, latent=np.zeros(3, np.float32), bands=np.full((2, 8), 0.5, np.float32), level_db=-10.0)
    (flow,) = stage.step(Inputs({"scene": [scene], "hearing": [heard]}, controls=list(controls)), 0)
    return float(np.abs(flow.amplitudes[:4]).mean())

half, none = moved(), moved(Set(name="calm", value=1.0))
assert half > 0.001 and none == 0.0, (half, none)
"""


BRIGHTNESS = """
import numpy as np
from engines.registry import open_engine
from export.__main__ import main as export
from training.train import main as train
assert train(["brightness", "--out", "mine", "--work", "work", "--steps", "1"]) == 0
assert export(["mine"]) == 0
for backend in ("torch", "onnxruntime"):
    engine = open_engine("brightness", bundle="mine", backend=backend, tell=print)
    print("opened", engine.spec.runtime, float(engine.step(grey=np.full((8, 8), 51, np.uint8))["level"][0]))
"""


@dataclass
class ExtendedCheckout:
    """A copy of the checkout in which everything of the page was added, and what a show of it left."""

    tree: Path
    touched: dict[str, set[str]] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)
    errors: str = ""

    def python(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *argv]
        return subprocess.run(command, cwd=self.tree, capture_output=True, text=True, timeout=120, check=False)

    def apply(self, section: str) -> None:
        changes = edits(section)
        for edit in changes:
            edit.apply(self.tree)
        self.touched[section] = {edit.path for edit in changes if edit.how != "new"}

    def perform(self) -> None:
        """Perform for some seconds, with what was added, and turn the new control meanwhile."""
        place = ["--run-dir", str(self.tree / "run")]
        argv = ["--camera", "performer", "--speaker", "none", "--microphone", "self", "--screen", "brightness:b.csv"]
        argv += ["--calm", "0.5", "--duration", str(SHOW_S), "--record", "none", "--report", "r.json", "--quiet"]
        command = [sys.executable, "run_live.py", *argv, *place]
        with subprocess.Popen(
            command, cwd=self.tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as show:
            while show.poll() is None and not self.replies:
                time.sleep(0.2)
                if (self.tree / "run" / "meter.pid").exists():
                    reply = self.python("run_live.py", "set", "calm", "1", *place)
                    self.replies += [reply.stdout.strip()] if reply.returncode == 0 else []
            _, self.errors = show.communicate(timeout=60)
            self.errors += f" (status {show.returncode})"

    def report(self) -> dict[str, Any]:
        path = self.tree / "r.json"
        assert path.exists(), self.errors
        report: dict[str, Any] = json.loads(path.read_text())
        return report


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> ExtendedCheckout:
    tree = ExtendedCheckout(tmp_path_factory.mktemp("extended") / "antiphon")
    copy_of_checkout(tree.tree)
    for section in SECTIONS:
        tree.apply(section)
    tree.perform()
    return tree


def test_every_section_is_short() -> None:
    lengths = {name: len(text.strip().splitlines()) for name, text in sections().items()}
    assert tuple(lengths) == SECTIONS
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_addition_touches_few_files(checkout: ExtendedCheckout, section: str) -> None:
    assert 1 <= len(checkout.touched[section]) <= MAX_TOUCHED, checkout.touched[section]


def test_what_the_page_adds_passes_the_linter(checkout: ExtendedCheckout) -> None:
    files = sorted({edit.path for section in SECTIONS for edit in edits(section)})
    lint = checkout.python("-m", "ruff", "check", *files)
    assert lint.returncode == 0, lint.stdout


def test_the_new_stage_runs_under_its_host(checkout: ExtendedCheckout) -> None:
    stage = checkout.report()["stages"]["meter"]
    assert stage["step_ms"]["p50"] is not None, checkout.errors
    assert stage["restarts"] == 0


def test_the_new_network_is_trained_exported_and_opened(checkout: ExtendedCheckout) -> None:
    result = checkout.python("-c", BRIGHTNESS)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert (checkout.tree / "mine" / "artifacts" / "brightness.onnx").is_file()
    levels = {line[1]: float(line[2]) for line in lines if line[0] == "opened"}
    assert levels == pytest.approx({"torch": 0.2, "onnxruntime": 0.2}, abs=1e-3)


def test_the_new_control_is_in_help_checks_and_file(checkout: ExtendedCheckout) -> None:
    assert "--calm C" in checkout.python("run_live.py", "--help").stdout
    (checkout.tree / "bad.toml").write_text("calm = 3\n")
    for argv in (["--calm", "3"], ["--config", "bad.toml"]):
        result = checkout.python("run_live.py", *argv)
        assert result.returncode == 2
        assert "calm" in result.stderr
        assert "0 to 1" in result.stderr


def test_the_new_control_is_set_while_a_show_runs(checkout: ExtendedCheckout) -> None:
    assert checkout.replies == ["calm is now 1"], checkout.errors


def test_the_new_control_reaches_its_stage(checkout: ExtendedCheckout) -> None:
    result = checkout.python("-c", CALM_FLOW)
    assert result.returncode == 0, result.stderr


def test_the_new_device_performs(checkout: ExtendedCheckout) -> None:
    lines = (checkout.tree / "b.csv").read_text().splitlines()
    assert len(lines) > SHOW_S, checkout.errors
    tick, brightness = lines[-1].split(",")
    assert int(tick) > 0
    assert 0.0 < float(brightness) < 255.0
    assert checkout.report()["stages"]["screen"]["info"]["device"].endswith("b.csv")


def test_the_new_device_is_checked_by_the_command_line(checkout: ExtendedCheckout) -> None:
    result = checkout.python("run_live.py", "--screen", "brightness:b.txt")
    assert result.returncode == 2
    assert "brightness:PATH.csv" in result.stderr


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (Edit("a.py", "before", "nowhere", "x"), "no place"),
        (Edit("a.py", "as the last row of", "ROWS", "x"), "no place"),
        (Edit("a.py", "in place of", "twice", "x"), "several"),
        (Edit("a.py", "new", "", "x"), "there already"),
    ],
)
def test_a_page_that_no_longer_fits_is_noticed(tmp_path: Path, edit: Edit, what: str) -> None:
    (tmp_path / "a.py").write_text("twice\ntwice\n")
    with pytest.raises(ValueError, match=what):
        edit.apply(tmp_path)
