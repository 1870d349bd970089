"""The supervisor with tiny stages in real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from streaming.errors import UserError
from streaming.runtime.run_folder import RunFolder
from streaming.runtime.show import perform, rows_for
from streaming.schema.processes import PROCESSES, Process
from streaming.settings.config import Links, Show
from streaming.telemetry.report import Ending

CHECKOUT = Path(__file__).resolve().parents[4]
FAKE_COMMAND = (sys.executable, str(Path(__file__).with_name("fake_show.py")))


def real_rows() -> list[Process]:
    return [replace(PROCESSES[name], module=f"fake_{name}", warm_spare=False) for name in ("camera", "speaker")]


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FAKE_MOODS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    return tmp_path


def run_real(tmp_path: Path, duration_s: float | None = 1.0) -> tuple[Ending, dict[str, Any]]:
    run_dir = tmp_path / "run"
    show = Show(
        direction="video-to-music", record="", duration_s=duration_s, quiet=True, links=Links(run_dir=str(run_dir))
    )
    done = perform(show, processes=real_rows(), command=FAKE_COMMAND)
    assert [path.name for path in run_dir.iterdir() if path.is_socket()] == []
    assert no_process_of(tmp_path)
    return done.ending, done.report


def no_process_of(tmp_path: Path) -> bool:
    script, mine = FAKE_COMMAND[1], psutil.Process().children(recursive=True)
    return not [child for child in mine if child.status() != psutil.STATUS_ZOMBIE and script in child.cmdline()]


def test_a_real_show_runs_and_reports(real: Path) -> None:
    ending, report = run_real(real)
    assert ending == Ending(0)
    assert report["ticks"]["played"] >= 25
    assert report["audio"]["samples_played"] == report["ticks"]["played"] * 1_280
    assert report["motion_to_sound_ms"]["p50"] == pytest.approx(70.0)


def test_a_real_users_error_is_one_line(real: Path) -> None:
    (real / "camera").write_text("user")
    assert run_real(real)[0] == Ending(2, "camera 7: cannot be opened; plug it in")


def test_a_real_stage_that_dies_in_setup_ends_with_its_cause(real: Path) -> None:
    (real / "camera").write_text("die")
    ending, _ = run_real(real)
    assert ending.code == 1
    assert "SIGKILL" in ending.line


def test_a_real_film_ends_the_show(real: Path) -> None:
    (real / "camera").write_text("ended")
    assert run_real(real, duration_s=None)[0] == Ending(0)


def test_nothing_outlives_a_killed_supervisor(real: Path) -> None:
    run_dir = real / "run"
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from streaming.settings.config import Links, Show\n"
        "from streaming.runtime.show import perform\n"
        "from dataclasses import replace\n"
        "from streaming.schema.processes import PROCESSES\n"
        "rows = [replace(PROCESSES[n], module=f'fake_{n}', warm_spare=False) for n in ('camera', 'speaker')]\n"
        f"show = Show(direction='video-to-music', record='', quiet=True, links=Links(run_dir={str(run_dir)!r}))\n"
        f"perform(show, processes=rows, command={FAKE_COMMAND!r}, notes=['x'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as show:
        try:
            wait_for(lambda: (run_dir / "camera.sock").exists() and len(psutil.Process(show.pid).children()) == 3)
            family = psutil.Process(show.pid).children()
        finally:
            show.kill()
        with pytest.raises(UserError, match="another performance"):
            RunFolder(run_dir)
        assert psutil.wait_procs(family, timeout=20)[1] == []
    assert [path.name for path in run_dir.iterdir() if path.is_socket()] == []
    RunFolder(run_dir).close()


def wait_for(condition: Callable[[], bool], turns: int = 1_000) -> None:
    for _ in range(turns):
        if condition():
            return
        signal.sigtimedwait([], 0.02)
    raise AssertionError("it never happened")


def test_no_recorder_without_a_folder_and_no_process_for_another_machines_stage() -> None:
    names = [row.name for row in rows_for(Show(direction="video-to-music", record=""))]
    assert "recorder" not in names
    assert "recorder" in [row.name for row in rows_for(Show(direction="video-to-music"))]
    links = Links(addresses={"motion": "tcp://192.0.2.1:5001", "camera": "tcp://127.0.0.1:5000"}, keys="k")
    names = [row.name for row in rows_for(Show(direction="video-to-music", links=links))]
    assert "motion" not in names
    assert "camera" in names
