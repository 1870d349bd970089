"""The table of live controls: its rows, the one check, and that no other file knows a control's range."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from streaming.errors import SettingError
from streaming.schema.processes import PROCESSES
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, ControlSpec, list_controls
from streaming.settings.setting import GROUPS

ROOT = Path(__file__).resolve().parents[4]
NUMBERS = [row for row in CONTROLS.values() if row.kind == "number"]
RANGE = r"\W{0,3}:?\s*\(?(\d+(?:\.\d+)?)\s*(?:to|\.\.|–)\s*(\d+(?:\.\d+)?)"


@pytest.mark.parametrize("row", CONTROLS.values(), ids=list(CONTROLS))
def test_a_row_is_whole(row: ControlSpec) -> None:
    assert row.read(row.default) == row.default, "its default is in its own range"
    assert row.stages
    assert set(row.stages) <= set(PROCESSES)
    assert row.group in GROUPS
    assert row.metavar
    assert row.words
    assert not row.words.endswith(".")
    if row.kind == "number":
        assert row.low < row.high
        assert 0.0 < row.step <= row.high - row.low
        assert row.at_low
        assert row.at_high


@pytest.mark.parametrize("row", NUMBERS, ids=[row.name for row in NUMBERS])
def test_both_ends_are_in_and_what_lies_outside_is_out(row: ControlSpec) -> None:
    assert [row.read(value) for value in (row.low, row.high, str(row.low))] == [row.low, row.high, row.low]
    bad: tuple[object, ...] = (row.low - 0.01, row.high + 0.01, float("nan"), float("inf"), -float("inf"), 10**400)
    for value in (*bad, "", "loud", "nan", "9" * 400, None, True, [1.0], {"a": 1}):
        with pytest.raises(SettingError, match=f"--{row.name}") as caught:
            row.read(value)
        assert len(str(caught.value)) < 400


def test_words_beside_numbers() -> None:
    anticipation = CONTROLS["anticipation"]
    assert anticipation.read("auto") == "auto"
    assert anticipation.read("80") == 80.0
    assert anticipation.stops() == pytest.approx((-0.04, 0.0, 0.04, 0.08, 0.12)), "in seconds; from 0 on as trained"
    with pytest.raises(SettingError):
        CONTROLS["temperature"].read("auto")


def test_the_dead_end_of_guidance_is_refused_with_the_reason() -> None:
    """Measured with the default bundle: at 0 and 0.25 all of 200 ticks are silent (-101 dB), from 0.5 on it plays."""
    with pytest.raises(SettingError, match=r"below 0\.5 the motion is not followed and there is only silence"):
        CONTROLS["guidance"].read(0)
    assert CONTROLS["guidance"].read(0.5) == 0.5


def test_a_show_has_every_control_and_no_other() -> None:
    show = Show(controls={"motion": 2.0, "prior": "a.png"})
    assert list(show.controls) == list(CONTROLS)
    assert (show.number("motion"), show.number("anchoring"), show.word("prior")) == (2.0, 1.2, "a.png")
    assert show.with_controls(motion=3.0).number("motion") == 3.0
    assert msgspec.json.decode(msgspec.json.encode(show), type=Show) == show
    with pytest.raises(ValueError, match="did you mean motion"):
        Show(controls={"moton": 1.0})
    with pytest.raises(msgspec.ValidationError, match="no control 'kazoo'"):
        msgspec.convert({"controls": {"kazoo": 1.0}}, Show)
    with pytest.raises(TypeError, match="is 'auto', which is not a number"):
        show.number("anticipation")
    assert show.word("motion") == ""


def source_of(module: str) -> str:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", CONTROLS.values(), ids=list(CONTROLS))
def test_every_stage_of_a_row_obeys_it(row: ControlSpec) -> None:
    for stage in row.stages:
        source = source_of(PROCESSES[stage].module)
        # A stage may leave it to a part of its own, as the sound stage leaves the desk to the master bus.
        parts = re.findall(r"^from (streaming\.(?:audio|painting|vision)\.[\w.]+) import", source, re.MULTILINE)
        read = any(f'"{row.name}"' in text for text in (source, *map(source_of, parts)))
        assert read, f"{stage} does not read it"


def test_a_new_control_is_one_row_and_the_stage_that_obeys_it(tmp_path: Path) -> None:
    """Done in a copy: the option, its check, the TOML key, `set`, the list and the page all have it."""
    for name in ("streaming", "engines", "performers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run_live.py", tmp_path)
    table = tmp_path / "streaming" / "settings" / "controls.py"
    new = """        ControlSpec(
            name="brightness",
            group=LOOKING,
            stages=("picture",),
            metavar="B",
            low=0.25,
            high=2.0,
            step=0.05,
            default=1.0,
            words="how bright the picture is",
        ),
"""
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("    for row in (\n", f"    for row in (\n{new}", 1), encoding="utf-8")

    def say(*arguments: str) -> str:
        command = [sys.executable, "run_live.py", *arguments]
        environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert "--brightness B        how bright the picture is (0.25 to 2; default: 1)" in say("--help")
    assert "#brightness = 1\n" in say("config")
    assert re.search(r"brightness +1 +0\.25 to 2 +how bright", say("set", "--help"))
    assert say("--brightness", "3").startswith("--brightness 3: must be 0.25 to 2")
    (tmp_path / "show.toml").write_text("brightness = 0\n")
    assert say("--config", "show.toml").startswith("show.toml: brightness = 0: must be 0.25 to 2")
    script = """
from streaming.schema.messages import Set
from streaming.settings import controls_page
from streaming.settings.config import Show
from streaming.settings.control_values import ControlValues
from streaming.settings.validation import with_control
values = ControlValues("picture", with_control(Show(), "brightness", "1.5"))
assert values["brightness"] == 1.5
assert values.update([Set(name="brightness", value=2)]) == ["brightness"]
assert "### brightness" in controls_page.render()
"""
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=True
    )


def test_the_list_says_value_range_unit_and_sentence() -> None:
    lines = list_controls(Show(controls={"anticipation": 80.0}).controls)
    assert [line.split()[0] for line in lines] == list(CONTROLS)
    line = next(line for line in lines if line.startswith("anticipation"))
    assert re.fullmatch(r"anticipation +80 ms +auto or -40 to 120 ms +how far ahead .*", line)


def test_a_control_that_is_not_live_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ControlSpec(name="echo", group=GROUPS[2], words="x", stages=("sound",), default=0.5, high=1.0, live=False)
    monkeypatch.setitem(CONTROLS, "echo", row)
    assert not any(line.startswith("echo") for line in list_controls(Show().controls))


def sources() -> Iterator[tuple[Path, str]]:
    """Every file that could contradict the table."""
    for pattern in ("run_live.py", "streaming/**/*.py", "engines/**/*.py", "training/*.py", "training/evaluation/*.py"):
        for path in ROOT.glob(pattern):
            if path.name != "controls.py":
                yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
    for path in (*ROOT.glob("docs/*.md"), ROOT / "README.md"):
        if path.name not in ("decisions.md", "results.md"):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")


def contradictions(text: str) -> list[str]:
    """Where a text gives a control's name and a range that is not its own."""
    found = []
    for row in NUMBERS:
        matches = re.finditer(rf"(?:--{row.name}\b|`{row.name}`|\b{row.name}:){RANGE}", text)
        found += [match[0] for match in matches if (float(match[1]), float(match[2])) != (row.low, row.high)]
    return found


def ranges_in_code(text: str) -> list[str]:
    """Comparisons of a control with two numbers, pairs of numbers under its name, constants MAX_CONTROL."""
    names = "|".join(row.name for row in NUMBERS)
    found = re.findall(rf"^\s*(?:MIN|MAX)_(?:{names})\w*", text, re.MULTILINE | re.IGNORECASE)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Compare) and len(node.ops) == 2:
            ends = (node.left, node.comparators[-1])
            middle = ast.unparse(node.comparators[0])
            if all(isinstance(end, ast.Constant) for end in ends) and re.search(rf"\b(?:{names})\b", middle):
                found.append(ast.unparse(node))
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                pair = isinstance(value, ast.Tuple) and len(value.elts) == 2
                if pair and isinstance(key, ast.Constant) and key.value in CONTROLS:
                    found.append(ast.unparse(value))
    return found


def test_no_other_file_contradicts_the_table() -> None:
    assert {path: found for path, text in sources() if (found := contradictions(text))} == {}
    assert contradictions("temperature: 0 to 4") == ["temperature: 0 to 4"], "what it looks for is found"


def test_no_other_file_has_a_range_of_its_own() -> None:
    files = [(path, text) for path, text in sources() if path.suffix == ".py"]
    assert {path: found for path, text in files if (found := ranges_in_code(text))} == {}
    old = 'MAX_GUIDANCE = 4.0\nok = 0.0 <= self.temperature <= 2.0\nDIALS = {"motion": (0.0, 4.0)}\n'
    assert len(ranges_in_code(old)) == 3, "what it looks for is found"
