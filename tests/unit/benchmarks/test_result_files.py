"""A benchmark's files hold all that a page has, and a history tells what has become worse."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from benchmarks.result_files import (
    HISTORY_VARIABLE,
    ResultPage,
    Section,
    history_path,
    leave_page,
    read_history,
    remember,
    to_html,
)

PAGE = ResultPage(
    "A <title>",
    "the line",
    (
        Section(big=(("52 ms", "from outside"),)),
        Section("Figures", ("words & more",), ("ms", "p50"), (("a", "1.0"), ("b", "–")), png=b"one"),
        Section("Others", png=b"two"),
    ),
    {"figure": 1.5, "text": "</script><script>alert(1)</script>"},
)


def test_all_four_files_are_left_with_what_the_page_has(tmp_path: Path) -> None:
    files = leave_page(PAGE, tmp_path / "new", "bench-x")
    assert [file.name for file in files] == [
        "bench-x.html",
        "bench-x.md",
        "bench-x.json",
        "bench-x.png",
        "bench-x-2.png",
    ]
    assert json.loads(files[2].read_text()) == PAGE.data
    assert (files[3].read_bytes(), files[4].read_bytes()) == (b"one", b"two")
    words = files[1].read_text()
    assert "| a | 1.0 |" in words
    assert "(bench-x-2.png)" in words
    assert "**52 ms**" in words


def test_the_page_needs_no_other_file_and_no_text_breaks_it() -> None:
    text = to_html(PAGE)
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "A &lt;title&gt;" in text
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert json.loads(found[1]) == PAGE.data
    assert html.escape("words & more") in text


def test_a_figure_that_is_a_tenth_worse_than_the_last_runs_is_a_regression(tmp_path: Path) -> None:
    path, about = tmp_path / "deep" / "history.jsonl", {"cpu": "x"}
    assert remember("latency", about, {"p50": 50.0}, path) == []
    assert remember("latency", {"cpu": "y"}, {"p50": 500.0}, path) == [], "another machine"
    assert remember("latency", about, {"p50": 52.0, "p99": None}, path)[0].endswith("as before")
    assert remember("latency", about, {"p50": 60.0}, path)[0].endswith("a regression")
    assert remember("latency", about, {"p50": 30.0}, path)[0].endswith("better")
    assert len(read_history(path)) == 5


def test_a_history_that_is_damaged_or_cannot_be_written_costs_a_line_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text('{"bench": "latency", "about": {}, "figures": {"p50": 1.0}}\nnonsense\n[1]\n{"bench": 3}\n')
    assert len(read_history(path)) == 1
    (tmp_path / "file").write_text("")
    lines = remember("latency", {}, {"p50": 1.0}, tmp_path / "file" / "history.jsonl")
    assert "cannot be written" in lines[-1]


def test_the_history_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HISTORY_VARIABLE, str(tmp_path / "h"))
    assert history_path() == tmp_path / "h"
