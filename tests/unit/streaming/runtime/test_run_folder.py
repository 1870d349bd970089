"""The folder of a run: one performance at a time, stale sockets swept, nobody else let in."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from streaming.errors import UserError
from streaming.runtime.run_folder import RunFolder


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
