"""The lines of the diagnosis about optional parts."""

from __future__ import annotations

from collections.abc import Sequence

from streaming.commands import doctor
from streaming.commands.optional_parts import describe_parts, look_for
from streaming.devices.optional import OPTIONAL
from streaming.settings.config import Show


def look(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    answers = dict.fromkeys(names, ("", ""))
    changed = {"ndi": ("", 'NDI cannot be loaded; install it: pip install -e ".[ndi]"'), "midi": ("Nano, virtual", "")}
    return {name: changed.get(name, answer) for name, answer in answers.items()}


def test_each_part_has_one_line_ready_or_missing_with_its_fix() -> None:
    lines = {name: line for name, line, _ in describe_parts(Show(), look, "linux")}
    assert list(lines) == list(OPTIONAL)
    assert lines["ndi"] == (
        "pictures from and to programs of the network (--camera ndi:NAME; --screen ndi[:NAME]): missing: "
        'NDI cannot be loaded; install it: pip install -e ".[ndi]"'
    )
    assert lines["midi"] == "knobs in, notes and clock out (--midi PORT): ready: Nano, virtual"
    assert lines["jack"].endswith(": ready")
    assert lines["spout"].endswith("(--screen spout[:NAME]): missing: a system of Windows")
    assert not any("\n" in line for line in lines.values())


def test_only_what_the_show_wants_must_be_mended() -> None:
    def wanted(show: Show) -> list[str]:
        return [finding.topic for finding in doctor.optional_parts(show, look) if finding.fix]

    assert wanted(Show()) == []
    assert wanted(Show(camera="ndi:studio")) == ["ndi"]
    assert wanted(Show(screen="ndi", midi="Nano")) == ["ndi"]
    nothing = [name for name, _, needed in describe_parts(Show(link=True), lambda _: {}, "linux") if needed]
    assert nothing == ["link"]


CRASHING = """
import json, os, sys
for name in sys.argv[1:]:
    if name == "midi":
        os.abort()
    print(json.dumps([name, "here", ""]), flush=True)
"""
HANGING = """
import json, sys, time
for name in sys.argv[1:]:
    if name == "link":
        time.sleep(60)
    print(json.dumps([name, "here", ""]), flush=True)
"""


def test_a_library_that_crashes_or_hangs_is_named_and_the_others_are_looked_for() -> None:
    crashed = look_for(["ndi", "midi", "link"], CRASHING)
    assert crashed["ndi"] == crashed["link"] == ("here", "")
    assert crashed["midi"][1].startswith("crashes (status -")
    assert crashed["midi"][1].endswith('install it anew: pip install -e ".[midi]"')
    hung = look_for(["ndi", "link"], HANGING, timeout_s=1.0)
    assert hung == {
        "ndi": ("here", ""),
        "link": ("", 'hangs for 1 s when it is looked for; install it anew: pip install -e ".[link]"'),
    }


def test_the_parts_of_this_machine_are_looked_for_in_a_process() -> None:
    assert set(look_for(["remote", "jack"])) == {"remote", "jack"}
