"""Files that a user names: every name that cannot be one is refused in a line, and no output destroys a file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streaming.errors import UserError
from streaming.system.files import (
    NamedFile,
    absolute,
    check_distinct,
    check_input,
    check_output,
    new_file,
    private_opener,
    replace_file,
    same_file,
)

Check = Callable[[str], None]
CHECKS: list[Check] = [lambda path: check_input(path, "--in", "a file"), lambda path: check_output(path, "--out")]


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that the user may not enter; who is root is nobody for so long."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "locked"
        folder.mkdir(mode=0o000)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65_534)
        yield folder
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


def line_of(check: Check, path: str) -> str:
    with pytest.raises(UserError) as caught:
        check(path)
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 320
    assert "--in" in line or "--out" in line
    return line


@pytest.mark.parametrize("check", CHECKS)
def test_what_can_be_no_file_is_refused_in_one_line(tmp_path: Path, check: Check) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    assert "NUL" in line_of(check, f"{tmp_path}/a\0b")
    assert "300 bytes" in line_of(check, f"{tmp_path}/{'n' * 300}")
    assert "bytes" in line_of(check, f"{tmp_path}/{'ä' * 130}")
    assert "path of" in line_of(check, f"{tmp_path}{'/name' * 1000}")
    assert "no file can have" in line_of(check, f"{tmp_path}/\ud800")
    assert "is a folder" in line_of(check, str(tmp_path))
    assert line_of(check, f"{tmp_path}/none/x")
    assert line_of(check, f"{tmp_path}/file/x")
    assert line_of(check, f"{tmp_path}/loop")
    assert line_of(check, "")


def test_a_folder_that_may_not_be_entered_is_said(locked: Path) -> None:
    assert "ermission denied" in line_of(CHECKS[0], f"{locked}/x.mp4")
    assert "ermission denied" in line_of(CHECKS[1], f"{locked}/x.wav")


def test_an_input_that_is_empty_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "full").write_text("x")
    check_input(str(tmp_path / "full"), "--in", "a file")
    assert "is empty" in line_of(CHECKS[0], str(tmp_path / "empty"))


def test_checking_an_output_makes_nothing_and_changes_nothing(tmp_path: Path) -> None:
    check_output(str(tmp_path / "new"), "--out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_text("x")
    check_output(str(tmp_path / "old"), "--out")
    assert (tmp_path / "old").read_text() == "x"
    assert "cannot be written" in line_of(CHECKS[1], "/proc/r.json")


@pytest.mark.parametrize("special", ["/dev/null", "pipe", "link-to-pipe"])
def test_a_device_or_a_pipe_is_no_output(tmp_path: Path, special: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link-to-pipe").symlink_to("pipe")
    path = tmp_path / special
    assert "is not an ordinary file" in line_of(CHECKS[1], str(path))
    with pytest.raises(OSError, match="ordinary"):
        new_file(tmp_path / "pipe", "aside")
    with pytest.raises(OSError, match="ordinary"):
        replace_file(tmp_path / "pipe", b"x", lambda data: True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link-to-pipe", "pipe"]


def test_one_file_is_found_under_every_name_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take.wav").write_text("x")
    Path("folder").mkdir()
    Path("link.wav").symlink_to("take.wav")
    Path("hard.wav").hardlink_to("take.wav")
    Path("again").symlink_to("folder")
    for name in ("./take.wav", "folder/../take.wav", str(tmp_path / "take.wav"), "link.wav", "hard.wav"):
        assert same_file("take.wav", name)
    # Where there is no file yet, its folder and its name tell.
    assert same_file("folder/new.wav", "again/new.wav")
    Path("dangling.wav").symlink_to("folder/new.wav")
    assert same_file("dangling.wav", "again/new.wav")
    assert not same_file("take.wav", "folder/take.wav")
    assert not same_file("none/a.wav", "none/b.wav")


def test_no_output_is_an_input_or_another_output(tmp_path: Path) -> None:
    film, sound = str(tmp_path / "in.mp4"), str(tmp_path / "out.wav")
    Path(film).write_text("x")
    check_distinct([NamedFile("--camera", film)], [NamedFile("--speaker", sound)])
    with pytest.raises(UserError, match=r"--screen .*would write over --camera"):
        check_distinct([NamedFile("--camera", film)], [NamedFile("--speaker", sound), NamedFile("--screen", film)])
    with pytest.raises(UserError, match=r"--report .*the same file as --speaker"):
        check_distinct([], [NamedFile("--speaker", sound), NamedFile("--report", sound)])


def test_no_output_lies_in_a_folder_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "bundle" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("bundle")
    bundle = [NamedFile("--bundle", str(tmp_path / "bundle"))]
    check_distinct(bundle, [NamedFile("--report", str(tmp_path / "r.json"))])
    for path in ("bundle/manifest.json", "bundle/deep/r.json", "link/r.json"):
        with pytest.raises(UserError, match="would write into --bundle"):
            check_distinct(bundle, [NamedFile("--report", str(tmp_path / path))])


def test_an_earlier_take_is_moved_aside_and_that_is_said(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    assert new_file(target, "aside") == (target, "")
    for number in (1, 2, 3):
        target.write_text(f"take {number}")
        made, line = new_file(target, "aside")
        assert made == target
        assert target.read_bytes() == b""
        assert line == f"{target}: the earlier take is kept as out-{number}.wav"
    for number in (1, 2, 3):
        assert (tmp_path / f"out-{number}.wav").read_text() == f"take {number}"


def test_a_numbered_file_leaves_those_before_it_alone(tmp_path: Path) -> None:
    made = []
    for _ in range(3):
        path, line = new_file(tmp_path / "film.mp4", "number")
        path.write_text(path.name)
        made.append(path.name)
        assert line == ""
    assert made == ["film.mp4", "film-2.mp4", "film-3.mp4"]


def test_through_a_link_its_target_is_kept_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real.wav").write_text("old")
    (tmp_path / "link.wav").symlink_to("real.wav")
    made, _ = new_file(tmp_path / "link.wav", "aside")
    made.write_text("new")
    assert (tmp_path / "link.wav").is_symlink()
    assert (tmp_path / "link.wav").read_text() == "new"
    assert (tmp_path / "real-1.wav").read_text() == "old"


@pytest.mark.parametrize("name", ["n" * 251 + ".wav", "ä" * 125 + ".wav"])
def test_a_name_as_long_as_can_be_is_numbered_too(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    check_output(str(tmp_path / name), "--out")
    new_file(tmp_path / name, "aside")
    kept = next(path for path in tmp_path.iterdir() if path.name != name)
    assert kept.read_text() == "old"
    assert kept.name.endswith("-1.wav")
    replace_file(tmp_path / name, b"x", lambda data: True)


def test_a_report_replaces_its_own_kind_and_keeps_anything_else(tmp_path: Path) -> None:
    target = tmp_path / "r.json"
    assert replace_file(target, b"ours 1", lambda data: data.startswith(b"ours")) == ""
    assert replace_file(target, b"ours 2", lambda data: data.startswith(b"ours")) == ""
    target.write_bytes(b"a diary")
    line = replace_file(target, b"ours 3", lambda data: data.startswith(b"ours"))
    assert line == f"{target}: what was there is kept as r-1.json"
    assert (tmp_path / "r-1.json").read_bytes() == b"a diary"
    assert target.read_bytes() == b"ours 3"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_report_through_a_link_leaves_the_link(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("real.json")
    replace_file(tmp_path / "link.json", b"x", lambda data: True)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_bytes() == b"x"


def test_a_relative_name_is_made_one_that_is_no_address() -> None:
    assert absolute("take:1.mp4") == f"{os.getcwd()}/take:1.mp4"


def test_what_is_made_is_its_users_alone_and_a_changed_permission_stays(tmp_path: Path) -> None:
    made, _ = new_file(tmp_path / "film.mp4", "aside")
    assert made.stat().st_mode & 0o777 == 0o600
    report = tmp_path / "r.json"
    replace_file(report, b"{}", lambda data: True)
    assert report.stat().st_mode & 0o777 == 0o600
    report.chmod(0o644)
    replace_file(report, b"{ }", lambda data: True)
    assert report.stat().st_mode & 0o777 == 0o644
    with open(tmp_path / "log", "ab", opener=private_opener) as log:
        log.write(b"x")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
