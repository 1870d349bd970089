"""Where the view writes: terminals that lack characters, pipes that close, streams that are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.telemetry.output import ViewOutput, open_output, printable

CHECKOUT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "camera → speaker – ██·"),
        ("latin-1", "camera -> speaker - ##·"),
        ("cp1252", "camera -> speaker – ##·"),
        ("ascii", "camera -> speaker - ##."),
        ("no such encoding", "camera ? speaker ? ???"),
    ],
)
def test_a_character_that_a_terminal_lacks_has_a_plain_one(encoding: str, text: str) -> None:
    assert printable("camera → speaker – ██·", encoding) == text


def test_all_of_a_long_text_is_written_and_a_reader_that_is_gone_is_an_error() -> None:
    read, write = os.pipe()
    out = ViewOutput(write, "ascii")
    assert not out.isatty()
    assert out.write("→" * 100) == 100
    assert os.read(read, 1_000) == b"->" * 100
    os.close(read)
    with pytest.raises(BrokenPipeError):
        out.write("x")
    out.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(write)


def test_without_a_stream_there_is_still_somewhere_to_write() -> None:
    with open_output(None) as out:
        out.write("nobody reads this →")


CLOSED = """
import os, sys
from streaming.telemetry.output import harden_standard_streams
harden_standard_streams()
file = open(sys.argv[1], "w")
assert file.fileno() > 2, file.fileno()
print("to nobody")
print("→", file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's >&- is POSIX")
@pytest.mark.parametrize("closed", ["<&- >&-", ">&-", ">&- 2>&-"])
def test_closed_standard_streams_are_taken_by_no_other_file(tmp_path: Path, closed: str) -> None:
    command = f'exec "{sys.executable}" -c \'{CLOSED}\' "{tmp_path / "file"}" {closed}'
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a file that is always full")
def test_a_full_disk_behind_a_commands_output_is_one_line() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, str(CHECKOUT / "run_live.py"), "config"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("standard output: cannot be written (No space left on device); make room")
    assert done.stderr.count("\n") == 1


def test_a_python_without_what_antiphon_needs_is_one_line() -> None:
    command = [sys.executable, "-S", str(CHECKOUT / "run_live.py"), "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "so Antiphon is not installed for it; type make venv, then .venv/bin/python run_live.py" in done.stderr
    assert done.stderr.count("\n") == 1
