"""The folder of a run: one performance at a time, stale sockets swept, nobody else let in."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

import psutil
import pytest

from streaming.errors import UserError
from streaming.runtime.run_folder import RunFolder
from streaming.runtime.stage_process import run_alone
from streaming.settings.config import Links, Show


def test_locked_and_swept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(folder / "camera.sock"))
    with RunFolder(folder):
        assert not (folder / "camera.sock").exists()
        with pytest.raises(UserError, match=f"process {os.getpid()}"):
            RunFolder(folder)
    RunFolder(folder).close()
    folder.chmod(0o777)
    with pytest.raises(UserError, match="chmod 700"):
        RunFolder(folder)
    with pytest.raises(UserError, match="too long"):
        RunFolder(tmp_path / ("x" * 120))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="run folder"):
        RunFolder(tmp_path / "file")


def test_a_run_folder_that_was_deleted_meanwhile_is_closed_all_the_same(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.rmtree(tmp_path / "run")
    folder.close()
    RunFolder(tmp_path / "run").close()


def test_a_run_folder_that_was_removed_is_made_again_with_its_lock_and_ids(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with RunFolder(path) as folder:
        folder.watch("camera", os.getpid())
        assert folder.mend() == []
        shutil.rmtree(path)
        assert folder.mend() == [f"{path}: the run folder was removed; it is made again"]
        assert (path / "camera.pid").read_text() == f"{os.getpid()}\n"
        with pytest.raises(UserError, match="another performance"):
            RunFolder(path)
        assert folder.mend() == []
    RunFolder(path).close()


def test_a_run_folder_that_another_show_has_taken_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with RunFolder(path) as folder:
        shutil.rmtree(path)
        with RunFolder(path), pytest.raises(UserError, match="another performance"):
            folder.mend()


def test_a_reaper_that_was_killed_is_started_again(tmp_path: Path) -> None:
    def reapers() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if "reaper.py" in " ".join(child.cmdline())]

    with RunFolder(tmp_path / "run") as folder:
        (first,) = reapers()
        first.kill()
        folder.watch("camera", 999_999_999)
        psutil.wait_procs([first], timeout=5.0)
        folder.mend()
        (second,) = reapers()
        assert second.pid != first.pid


def test_a_stage_by_hand_refuses_a_folder_that_is_not_its_users_alone() -> None:
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="antiphon-") as place:
        _refuse_folders(Path(place))


def _refuse_folders(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for name, says in (("link", "is not a folder"), ("open", "others may write")):
        show = Show(links=Links(run_dir=str(tmp_path / name)))
        with pytest.raises(UserError, match=says):
            run_alone("tokens", show, lambda line: None)
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir(mode=0o700)
        os.chown(tmp_path / "theirs", 12_345, 12_345)
        with pytest.raises(UserError, match="belongs to another user"):
            run_alone("tokens", Show(links=Links(run_dir=str(tmp_path / "theirs"))), lambda line: None)
