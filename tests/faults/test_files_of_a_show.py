"""What becomes of a show's own files, and of what it leaves: bundle, prior image, report, processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engines.bundles import BUNDLES
from tests.faults.harness import Act, Fault, FaultyShow, perform_act
from tests.faults.rig.injections import KILL, STOP
from tests.faults.rig.places import both, picture_in
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.faults
HELD_S = 8.0
"""Within this time after its beginning a show holds copies of its files."""


@pytest.mark.parametrize("change", ["deleted", "overwritten"])
def test_a_restarted_stage_has_the_bundle_and_the_prior_that_it_had(place: ShowFolder, change: str) -> None:
    bundle, stages = place.folder / "bundle", ("sound", "tokens", "flow", "picture", "scene")

    def words(folder: Path) -> list[str]:
        shutil.copytree(BUNDLES / "default", bundle)
        return [*both(folder), "--bundle", str(bundle), "--prior", str(picture_in(folder))]

    def inject(show: FaultyShow) -> None:
        held, prior = show.run_dir / "held", place.folder / "prior.png"
        wait_for(lambda: (held / "bundle").exists() and (held / "prior").exists(), HELD_S)
        prior.unlink() if change == "deleted" else prior.write_bytes(b"no picture")
        for path in [path for path in bundle.rglob("*") if path.is_file()]:
            path.unlink() if change == "deleted" else path.write_bytes(b"no network")
        show.signal(KILL, *stages)

    fault = Fault(f"bundle and prior image {change}, five killed", inject, stages, HELD_S + 3.0)
    perform_act(Act(f"files {change}", (fault,), "both", words), place)


def test_nothing_is_left_of_a_killed_supervisor_with_a_stopped_stage(place: ShowFolder) -> None:
    with place.begin("--camera", "performer:air@1", *output_of(place)) as command:
        wait_for(place.sounding)
        os.kill(place.pid_of("sound"), STOP)
        command.kill()
        command.communicate(timeout=60)
    wait_for(lambda: place.left_over() == [] and place.processes() == [], 30.0)
    assert not (place.run_dir / "held").exists()


def test_a_report_that_cannot_be_written_is_one_line(place: ShowFolder) -> None:
    folder = place.folder / "reports"
    folder.mkdir()
    words = ["--camera", "performer:air@1", "--speaker", f"file:{place.folder / 'out.wav'}", "--duration", "4"]
    with place.begin(*words, "--report", str(folder / "r.json")) as command:
        wait_for(place.sounding)
        folder.rmdir()
        folder.write_text("a file in its place")
        _, errors = command.communicate(timeout=60)
    assert command.returncode == 1
    assert errors.count("\n") == 1
    assert "the report cannot be written" in errors


def test_too_few_descriptors_from_the_beginning_are_a_line(place: ShowFolder) -> None:
    words = place.command("--camera", "performer:air@1", *output_of(place), "--duration", "2")
    shell = f"ulimit -n 24; exec {' '.join(words)}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr, done.stderr
    assert place.left_over() == []
