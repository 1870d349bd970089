"""Files that are missing are made in processes; files that exist are kept."""

from __future__ import annotations

from pathlib import Path

from training.loop.pool import make_missing


def _make(path: Path) -> None:
    path.write_text("made", encoding="utf-8")


def _refuse(path: Path) -> None:
    raise AssertionError(path)


def test_what_is_missing_is_made_and_what_is_there_is_kept(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    paths[1].write_text("kept", encoding="utf-8")
    make_missing(paths, _make, 1, "files")
    assert [path.read_text(encoding="utf-8") for path in paths] == ["made", "kept", "made"]
    make_missing(paths, _refuse, 1, "files")
