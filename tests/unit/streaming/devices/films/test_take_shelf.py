"""The takes of a folder: which files they are, how large, and which go when there are too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.devices.films.take_shelf import TakeShelf
from streaming.settings.values.take_limit import TakeLimit, read_limit

NAMES = [f"antiphon-2026010{day}-120000" for day in range(1, 6)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five takes of 3 kB each, and what is none."""
    for name in NAMES:
        (tmp_path / f"{name}.mp4").write_bytes(b"x" * 2_000)
        (tmp_path / f"{name}.take").write_bytes(b"x" * 1_000)
    (tmp_path / "mine.mp4").write_bytes(b"x" * 9_000)
    (tmp_path / f"{NAMES[0]}.png").touch()
    (tmp_path / "antiphon-20260101-120000-9.mp4").symlink_to(tmp_path / "mine.mp4")
    (tmp_path / "antiphon-20200101-120000.mp4").mkdir()
    return tmp_path


def left(folder: Path, limit: TakeLimit, present: str = "", coming: int = 0) -> tuple[list[str], list[str]]:
    lines: list[str] = []
    shelf = TakeShelf(folder, limit, lines.append)
    shelf.make_room(present, coming)
    assert (folder / "mine.mp4").stat().st_size == 9_000
    return [take.name for take in shelf.takes()], lines


def test_takes_are_known_by_their_names_and_the_oldest_is_first(folder: Path) -> None:
    (folder / f"{NAMES[1]}-2.mp4").write_bytes(b"x")
    takes = TakeShelf(folder, TakeLimit(), print).takes()
    assert [take.name for take in takes] == [*NAMES[:2], f"{NAMES[1]}-2", *NAMES[2:]]
    assert takes[0].size == 3_000
    assert TakeShelf(folder / "nowhere", TakeLimit(), print).takes() == []


def test_without_a_limit_nothing_is_removed(folder: Path) -> None:
    assert left(folder, TakeLimit(), coming=1) == (NAMES, [])


def test_a_number_of_takes_is_kept_with_the_one_that_begins(folder: Path) -> None:
    names, lines = left(folder, TakeLimit(3, 0, "3"), coming=1)
    assert names == NAMES[3:]
    assert lines == [f"{NAMES[0]} and 2 more: removed, for --keep-takes 3"]


def test_a_size_is_kept_and_the_present_take_stays(folder: Path) -> None:
    names, _ = left(folder, TakeLimit(0, 7_000, "x"), present=NAMES[0])
    assert names == [NAMES[0], NAMES[4]], "the oldest is the one that is recorded"
    assert left(folder, TakeLimit(0, 1, "x"), present=NAMES[4])[0] == [NAMES[4]], "larger than allowed by itself"


def test_a_file_that_cannot_be_removed_is_said_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    names, lines = left(folder, TakeLimit(1, 0, "1"))
    assert names == NAMES
    assert len(lines) == 1
    assert "remove it by hand" in lines[0]


@pytest.mark.parametrize(
    ("text", "limit"), [("20", (20, 0)), ("50GB", (0, 50_000_000_000)), ("0.5 GB", (0, 500_000_000))]
)
def test_a_limit_is_read(text: str, limit: tuple[int, int]) -> None:
    assert read_limit(text) == (*limit, text)
