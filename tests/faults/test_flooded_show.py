"""A million malformed messages to the stages of a show that plays: no crash, no growth, and the music goes on."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import zmq

from tests.faults.rig.judging import clicks_in, sound_of
from tests.live.place import CHECKOUT, ShowFolder, wait_for

pytestmark = pytest.mark.faults
MESSAGES = int(os.environ.get("ANTIPHON_FUZZ", "1000000"))
A_SECOND = 7_500
"""Malformed messages that the stages read in a second, at least."""
MOST_GROWTH_MB = 8.0
PERFORM = """
import sys
from streaming.runtime import show as room
from streaming.settings.config import Links, Show
folder, seconds = sys.argv[1], float(sys.argv[2])
show = Show(direction="both", camera="performer:strings@1", speaker=f"file:{folder}/out.wav", microphone="self",
            screen="none", record="", osc="", console="", duration_s=seconds, report=f"{folder}/r.json", quiet=True,
            links=Links(run_dir=f"{folder}/run"))
# The program can be forked like that of a show without a flood.
room.STAGE_COMMAND = (sys.executable, sys.argv[3])
done = room.perform(show, command=room.STAGE_COMMAND)
print(done.ending.line, file=sys.stderr)
sys.exit(done.ending.code)
"""


def flood_control(run_dir: Path, count: int) -> None:
    """Send the supervisor reports that are none, as a stage of its own show might."""
    chosen = random.Random(2)
    link: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    link.setsockopt(zmq.LINGER, 0)
    link.connect(f"ipc://{run_dir}/control.sock")
    try:
        for _ in range(count):
            link.send_multipart([chosen.randbytes(chosen.randrange(60)) for _ in range(chosen.randrange(1, 3))])
    finally:
        link.close()


def flood_publishers(run_dir: Path, count: int) -> None:
    """Send every publisher bytes that are not ZeroMQ's, and subscriptions to whatever there is not."""
    chosen = random.Random(3)
    for path in sorted(run_dir.glob("*.sock")):
        for _ in range(50):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as link:
                link.connect(str(path))
                link.sendall(chosen.randbytes(chosen.randrange(1, 4_000)))
        if path.stem == "control":
            continue
        reader: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.XSUB)
        reader.setsockopt(zmq.LINGER, 0)
        reader.connect(f"ipc://{path}")
        with contextlib.closing(reader):
            for _ in range(count):
                reader.send(chosen.randbytes(chosen.randrange(1, 60)))


@pytest.mark.timeout(600)
def test_a_flood_of_malformed_messages_to_every_stage(place: ShowFolder) -> None:
    seconds = 10 + round(MESSAGES / A_SECOND)
    program = CHECKOUT / "tests" / "faults" / "rig" / "flooding_stages.py"
    words = [sys.executable, "-c", PERFORM, str(place.folder), str(seconds), str(program)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment) as show:
        try:
            wait_for(lambda: show.poll() is not None or place.sounding())
            signal.sigtimedwait([], 3.0)
            before = psutil.Process(show.pid).memory_info().rss
            flood_control(place.run_dir, MESSAGES // 20)
            flood_publishers(place.run_dir, MESSAGES // 200)
            signal.sigtimedwait([], 3.0)
            grown_mb = (psutil.Process(show.pid).memory_info().rss - before) / 1e6
            _, errors = show.communicate(timeout=seconds + 120)
        except BaseException:
            show.kill()
            raise
    assert show.returncode == 0, errors
    assert "Traceback" not in errors
    report = json.loads((place.folder / "r.json").read_text())
    stages = report["stages"]
    refused = {
        name: sum(count for key, count in stage["counters"].items() if key.startswith("bad."))
        for name, stage in stages.items()
    }
    sys.stderr.write(f"\nrefused {refused}, the supervisor has grown by {grown_mb:.1f} MB\n")
    assert sum(refused.values()) >= MESSAGES
    readers = {"motion", "tokens", "sound", "speaker", "microphone", "hearing", "flow", "picture", "screen"}
    assert all(refused[name] >= 0.003 * MESSAGES for name in readers), refused
    # The speaker and the microphone may have played and heard all before they are asked to close.
    states = {name: (stage["restarts"], stage["state"]) for name, stage in stages.items()}
    assert all(state in ((0, "closed"), (0, "finished")) for state in states.values()), states
    assert grown_mb < MOST_GROWTH_MB
    for name, stage in stages.items():
        slope = stage["rss_mb_per_hour"]
        assert slope is not None
        assert slope * seconds / 3_600 < MOST_GROWTH_MB, (name, slope)
    ticks = report["ticks"]
    assert ticks["expected"] == 25 * seconds
    assert ticks["played"] >= 0.9 * ticks["expected"], ticks
    assert clicks_in(sound_of(place.folder / "out.wav")) == []
    assert place.left_over() == []
    assert place.processes() == []
