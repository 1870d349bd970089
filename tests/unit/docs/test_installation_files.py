"""The unit and the container file of installations: every path, option and target in them exists."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.settings.options import parse
from tests.unit.docs.scripts import ROOT

FOLDER = ROOT / "docs" / "examples" / "installation"
UNIT, CONTAINER = FOLDER / "antiphon.service", FOLDER / "Containerfile"


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return parser


def instructions() -> list[tuple[str, str]]:
    """The container file's instructions and what follows them."""
    text = re.sub(r"\\\n", " ", CONTAINER.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def words(instruction: str) -> list[str]:
    """The words of an instruction that is given as a list."""
    (found,) = [rest for name, rest in instructions() if name == instruction]
    return [str(word) for word in re.findall(r'"([^"]*)"', found)]


def test_the_unit_runs_the_program_and_tells_the_service_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = unit()["Service"]
    assert (service["Type"], service["Restart"], service["KillMode"]) == ("notify", "always", "mixed")
    assert int(service["WatchdogSec"]) >= 10
    command = shlex.split(service["ExecStart"].replace("%h", str(tmp_path)))
    assert command[0] == f"{tmp_path}/antiphon/.venv/bin/python"
    assert (ROOT / command[1]).is_file()
    show = parse(command[2:]).show
    assert show.installation
    assert (show.schedule, show.record) == ("10:00-18:00", "")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """Where there is no systemd, the keys are compared with those that systemd.service(5) and others document."""
    text = UNIT.read_text(encoding="utf-8").replace("%h/antiphon/.venv/bin/python", sys.executable)
    text = text.replace("%h/antiphon\n", f"{ROOT}\n")
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")
    if program := shutil.which("systemd-analyze"):
        done = subprocess.run([program, "verify", "--user", str(copy)], capture_output=True, text=True, timeout=60)
        about_it = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
        assert about_it == []
    known = {
        "Unit": {"Description", "StartLimitIntervalSec"},
        "Service": {
            *("Type", "NotifyAccess", "WorkingDirectory", "ExecStart", "Restart", "RestartSec", "WatchdogSec"),
            *("TimeoutStartSec", "TimeoutStopSec", "KillMode", "LimitRTPRIO", "LimitMEMLOCK", "Nice"),
        },
        "Install": {"WantedBy"},
    }
    assert {section: set(unit()[section]) for section in unit().sections()} == known


def test_the_container_copies_what_there_is_and_makes_what_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.optional-dependencies]")[2]
    copied, made = set(), []
    for name, rest in instructions():
        if name == "COPY":
            sources = rest.split()[:-1]
            assert all((ROOT / source).exists() for source in sources), rest
            copied.update(sources)
        elif name == "RUN" and (command := re.match(r"(?:\w+=\S+ )*make ([^&]+)", rest)):
            arguments = command[1].split()
            made += [word for word in arguments if "=" not in word]
            (given,) = [word.partition("=")[2] for word in arguments if word.startswith("EXTRAS=")]
            assert all(re.search(rf"^{extra} = \[", extras, re.MULTILINE) for extra in given.split(","))
    assert {"venv", "engines"} <= set(made) <= targets
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "docs"}
    assert packages <= copied, "every package of the program is in it"
    needed = re.search(r"^SYSTEM_PACKAGES := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert needed is not None
    installs = " ".join(rest for name, rest in instructions() if name == "RUN")
    assert all(package in installs for package in needed[1].split())


def test_the_container_runs_the_program_with_options_that_it_has(tmp_path: Path) -> None:
    entry, options = words("ENTRYPOINT"), words("CMD")
    assert (ROOT / entry[1]).is_file()
    show = parse([option.replace("/var/lib/antiphon", str(tmp_path)) for option in options]).show
    assert show.installation
    (check,) = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    assert f"127.0.0.1:{show.console}/health" in check
    assert "USER" in dict(instructions()), "not as root"
