"""No show may write over what it reads: every pair of an output and an input, and of two outputs, is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streaming.errors import UserError
from streaming.settings.config import Links, Show
from streaming.settings.device_checks import check_devices, check_files, check_folder

OUTPUTS = ("speaker", "screen", "report")
INPUTS = ("camera", "microphone", "prior", "config")
PAIRS = [*itertools.product(INPUTS, OUTPUTS), *itertools.combinations(OUTPUTS, 2)]


def show_with(**paths: str) -> tuple[Show, str]:
    """A show of these files, and its TOML file."""
    config, prior = paths.pop("config", ""), paths.pop("prior", "")
    prefixed: dict[str, Any] = {
        name: path if name in ("report", "camera") else f"file:{path}" for name, path in paths.items()
    }
    show = Show(record="", **prefixed)
    return show.with_controls(prior=prior) if prior else show, config


def spelled(folder: Path, name: str) -> list[str]:
    """One file under several names: plain, through a folder, through a link to the folder."""
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "way").symlink_to(".")
    return [name, f"./sub/../{name}", str(folder / "way" / name)]


@pytest.mark.parametrize("there", [True, False], ids=["exists", "is new"])
@pytest.mark.parametrize(
    ("first", "second"), [*itertools.product(INPUTS, OUTPUTS), *itertools.combinations(OUTPUTS, 2)]
)
def test_no_two_options_may_name_one_file_where_one_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str, there: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    # The endings of the outputs differ, so a link gives each its own.
    ending = {"speaker": ".wav", "screen": ".mp4"}
    Path("sub").mkdir()
    names = [f"sub/{option}{ending.get(option, '.x')}" for option in (first, second)]
    for name in names:
        Path(name).symlink_to(tmp_path / "the file")
    if there:
        Path("the file").write_text("precious")
    show, config = show_with(**dict(zip((first, second), names, strict=True)))
    with pytest.raises(UserError, match="would write") as caught:
        check_files(show, config)
    assert f"--{second}" in str(caught.value)
    assert f"--{first}" in str(caught.value)
    if there:
        assert Path("the file").read_text() == "precious"


def test_one_file_is_known_by_other_spellings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, other in itertools.permutations(spelled(tmp_path, "take.wav"), 2):
        show, _ = show_with(microphone=f"./{name}" if "/" not in name else name, speaker=other)
        with pytest.raises(UserError, match=r"--speaker .*would write over --microphone"):
            check_files(show)


def test_files_of_their_own_are_let_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {name: f"{name}{ending}" for name, ending in zip(OUTPUTS, (".wav", ".mp4", ".json"), strict=True)}
    show, config = show_with(camera="in.mp4", microphone="in.wav", prior="in.png", config="in.toml", **names)
    check_files(show, config)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_into_the_bundle_or_the_keys(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    report = str(tmp_path / "r.json")
    with pytest.raises(UserError, match="would write into --bundle"):
        check_files(Show(record="", bundle=str(tmp_path), report=report))
    keys = Links(keys=str(tmp_path))
    with pytest.raises(UserError, match="would write into --keys"):
        check_files(msgspec.structs.replace(Show(record="", report=report), links=keys))


@pytest.mark.parametrize("option", ["camera", "speaker", "microphone", "screen", "report", "record"])
@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_a_name_that_can_be_none_is_refused_before_any_command(option: str, name: str) -> None:
    """Also before `doctor`, which writes nothing."""
    prefix = "" if option in ("camera", "report", "record") else "file:"
    ending = {"speaker": ".wav", "screen": ".mp4"}.get(option, "")
    settings: dict[str, Any] = {option: f"{prefix}{name}{ending}"}
    with pytest.raises(UserError) as caught:
        check_devices(Show(**settings))
    assert str(caught.value).isprintable()
    assert f"--{option}" in str(caught.value)


def test_a_folder_that_is_none_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (str(tmp_path / "file"), str(tmp_path / "file" / "films"), "/proc/films", "n" * 300, "a\0b"):
        with pytest.raises(UserError) as caught:
            check_folder(path, "--record")
        assert str(caught.value).isprintable()
        assert "--record" in str(caught.value)
    check_folder(str(tmp_path / "new" / "films"), "--record")
