"""What is generated is written, or compared without being touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.system.generated_pages import write_or_check


def test_every_page_that_is_out_of_date_is_named_and_none_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = {tmp_path / name: name.upper for name in ("right", "old", "missing")}
    (tmp_path / "right").write_text("RIGHT")
    (tmp_path / "old").write_text("OLD ")
    assert write_or_check("maker", pages, ["--check"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"{tmp_path / name}: out of date; type: python -m maker" for name in ("old", "missing")]
    assert (tmp_path / "old").read_text() == "OLD "
    assert not (tmp_path / "missing").exists()


def test_pages_are_written_with_their_folders(tmp_path: Path) -> None:
    pages = {tmp_path / "a" / "b" / "page": lambda: "text\n"}
    assert write_or_check("maker", pages, []) == write_or_check("maker", pages, ["--check"]) == 0
    assert (tmp_path / "a" / "b" / "page").read_text() == "text\n"


def test_what_is_not_compared_may_differ_but_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("two\nwords\n")
    pages = {page: lambda: "two words\n"}
    assert write_or_check("maker", pages, ["--check"]) == 1
    assert write_or_check("maker", pages, ["--check"], content=str.split) == 0
    assert write_or_check("maker", pages, [], content=str.split) == 0
    assert page.read_text() == "two words\n"


def test_an_argument_that_is_misspelt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        write_or_check("maker", {tmp_path / "page": str}, ["--chekc"])
    assert not (tmp_path / "page").exists()
