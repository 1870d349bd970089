"""A show that is played by MIDI through a JACK server: a knob is learned and turns a control, notes come out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.jack_server import MARKS, client, jack, line
from tests.live.place import ShowFolder, output_of, wait_for

pytest.importorskip("rtmidi", reason="MIDI needs the extra midi")
pytestmark = [pytest.mark.live, *MARKS]

DESK = """
import json, sys, time
import rtmidi
from streaming.timing import clock
knobs, notes = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="desk"), rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="synth")
def wait(port, word):
    while True:
        for number, name in enumerate(port.get_ports()):
            if word in name:
                return number
        clock.sleep_until(clock.now_ns() + 50_000_000)
knobs.open_port(wait(knobs, "control"))
heard = []
notes.open_port(wait(notes, "music"))
notes.set_callback(lambda event, _: heard.append((clock.now_ns(), event[0])))
print("connected", flush=True)
for word in sys.stdin:
    if word.strip() == "turn":
        for position in (40, 90, 127):
            knobs.send_message([0xB0, 74, position])
            clock.sleep_until(clock.now_ns() + 100_000_000)
    if word.strip() == "stop":
        break
print(json.dumps(heard), flush=True)
"""


def test_knobs_turn_controls_and_the_music_is_notes(stage: ShowFolder, tmp_path: Path) -> None:
    with jack(48_000, tmp_path / "jack.log") as environment:
        environment = {**environment, "XDG_CONFIG_HOME": str(tmp_path / "config")}
        command = stage.command(
            "--camera", "performer:keys@3", *output_of(stage), "--duration", "10", "--midi", "virtual"
        )
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=stage.folder,
            env={**os.environ, **environment},
        ) as show:  # fmt: skip
            try:
                desk = client(DESK, environment)
                assert line(desk) == "connected"
                wait_for(stage.sounding)
                run_dir = ("--run-dir", str(stage.run_dir))
                learned = subprocess.run(
                    [sys.executable, command[1], "set", "learn", "motion", *run_dir], cwd=stage.folder, check=False,
                    capture_output=True, text=True,
                )  # fmt: skip
                assert "motion" in learned.stdout, learned.stderr
                assert desk.stdin is not None
                desk.stdin.write("turn\n")
                desk.stdin.flush()
                output, errors = show.communicate(timeout=120)
                desk.stdin.write("stop\n")
                desk.stdin.flush()
                heard = json.loads(line(desk))
            finally:
                show.kill()
                desk.kill()
    assert show.returncode == 0, errors
    assert "motion is now 4" in output
    mapping = json.loads((tmp_path / "config" / "antiphon" / "midi.json").read_text())
    assert mapping == [{"channel": 1, "controller": 74, "control": "motion"}]
    starts = [message for _, message in heard if message[0] & 0xF0 == 0x90]
    ends = [message for _, message in heard if message[0] & 0xF0 == 0x80]
    assert len(starts) >= 5
    assert len(ends) == len(starts)
    assert stage.report()["stages"]["midi"]["restarts"] == 0
