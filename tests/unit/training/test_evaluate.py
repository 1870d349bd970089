"""The command line of the evaluations: what is printed, written and refused."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from training import evaluate
from training.evaluate import Evaluation, main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    """Every evaluation is noted in place of being made."""
    seen: list[argparse.Namespace] = []

    def note(options: argparse.Namespace) -> Evaluation:
        seen.append(options)
        return Evaluation(
            options.what, {"n_clips": 3}, f"{options.what} --clips 3", lambda folder: folder / "page.html"
        )

    for name in evaluate.EVALUATIONS:
        monkeypatch.setitem(evaluate.EVALUATIONS, name, note)
    return seen


def test_figures_are_printed_and_written_with_the_command_that_made_them(
    asked: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "figures.json"
    assert main(["latent", "--clips", "3", "--json", str(target), "--page", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"n_clips": 3, "command": "python -m training.evaluate latent --clips 3"}
    assert target.read_text() == out
    assert err == f"page: {tmp_path / 'page.html'}\n"
    assert asked[0].bundle == "default"


def test_clips_are_a_number_or_a_folder_of_films(asked: list[argparse.Namespace], tmp_path: Path) -> None:
    assert main(["forward", "--clips", "7"]) == 0
    assert main(["forward", "--clips", str(tmp_path)]) == 0
    assert [options.clips for options in asked] == [7, tmp_path]


@pytest.mark.parametrize(
    "arguments",
    [
        ["forward", "--clips", "no folder"],
        ["playability", "--clips", "no folder"],
        ["latent", "--clips", "1"],
        ["reverse", "--clips", "no folder"],
        ["reverse", "--only", "colours"],
        ["codec", "--clips", "many"],
        ["forwards"],
    ],
)
def test_what_cannot_be_compared_is_refused(
    arguments: list[str], asked: list[argparse.Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert asked == []
    line = capsys.readouterr().err
    assert any(words in line for words in ("at least", "invalid choice", "no such folder"))


def test_an_endurance_of_nothing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["endurance", "--minutes", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_frontier_of_nothing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frontier", "--performers", "0"]) == 2
    assert "nothing to score" in capsys.readouterr().err


def test_a_frontier_takes_films_performers_and_a_plot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[argparse.Namespace] = []

    def note(options: argparse.Namespace) -> Evaluation:
        asked.append(options)
        return Evaluation("frontier", {}, "frontier")

    monkeypatch.setitem(evaluate.EVALUATIONS, "frontier", note)
    plot = tmp_path / "frontier.png"
    assert main(["frontier", "--clips", str(tmp_path), "--performers", "7", "--plot", str(plot)]) == 0
    assert (asked[0].clips, asked[0].performers, asked[0].plot) == (tmp_path, 7, plot)
