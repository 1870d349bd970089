"""The desks of the bench, in a process of their own: OSC and MIDI at 30 messages a second each, beside two browsers.

`python -m benchmarks.desks.desk_clients PLAN` with the plan as JSON. When its input ends, it writes what it saw
as JSON. A desk is a machine of its own on a stage, so this process has the lowest real-time priority: what it sends is
stamped when it is sent, and it hears every tick. Its browsers are guests in a process with a lower priority.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.desks.change_log import (
    FaderAt,
    VolumeChange,
    delay_figures,
    heard_after_ms,
    note_figures,
    times_of,
    told_after_ms,
)
from benchmarks.rig.stamp_listener import MessageListener
from streaming.devices.midi.ports import CLIENT, RtMidiPorts
from streaming.errors import UserError
from streaming.remote.midi_mapping import value_of
from streaming.remote.osc_messages import ERROR, SUBSCRIBE, address_of_control, pack, read_packet
from streaming.remote.sound_events import SoundEventReader
from streaming.schema.messages import Message, Sound, Speaker
from streaming.system.realtime import leave_realtime, request_realtime
from streaming.timing import clock

RATE_HZ = 30
FIRST_TICK = 50
"""The desks begin when the show has played for two seconds."""
VOLUME_AT, MOTION_AT = 115, 32
"""Positions of a MIDI knob that stand for the volume and the motion that a show begins with."""
REACH = 10
"""Positions by which the knobs move to either side, one at a time."""
SETTLE_NS = 1_000_000_000
VOLUME_KNOB, MOTION_KNOB = 7, 1
NOTE_LISTENER = [sys.executable, "-m", "benchmarks.desks.note_listener"]
BROWSERS = [sys.executable, "-m", "benchmarks.desks.web_clients"]
LISTENER_S = 10.0
PRIORITY = 9


class DeskPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the desks are to do.

    Attributes:
        run_dir: of the show.
        console_port, osc_port: where it listens.
        midi: whether it has MIDI ports.
        seconds: how long they turn.
    """

    run_dir: str
    console_port: int
    osc_port: int
    midi: bool
    seconds: float


def knob_position(step: int, middle: int) -> int:
    """Where a knob is that goes up and down by single positions, `REACH` to either side, and begins in the middle."""
    place = (step + REACH) % (4 * REACH)
    return middle + (place if place <= 2 * REACH else 4 * REACH - place) - REACH


class DeskClients:
    """Turns what it is told to turn, and keeps what was seen and heard.

    Args:
        plan: what to do.
    """

    def __init__(self, plan: DeskPlan) -> None:
        self._plan = plan
        self._sounds: dict[int, tuple[float, NDArray[np.float32]]] = {}
        self._dac_ns: dict[int, int] = {}
        self._volumes: dict[str, list[VolumeChange]] = {"osc": [], "midi": []}
        self._motions: list[tuple[int, float]] = []
        self._echoes: list[tuple[int, float]] = []
        self._errors: list[str] = []
        self._notes_ns: list[int] = []
        self._begun, self._ended = threading.Event(), threading.Event()
        self._listener = MessageListener(Path(plan.run_dir), ("sound", "speaker"), self._take)
        self._osc = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._osc.settimeout(0.1)
        self._midi: RtMidiPorts | None = None
        self._notes: subprocess.Popen[str] | None = None

    def run(self) -> dict[str, Any]:
        """Wait for the show, turn, and wait for the end of the input; returns the figures."""
        stdin_ended = threading.Thread(target=self._wait_for_end, daemon=True)
        stdin_ended.start()
        while not self._begun.wait(0.1):
            if self._ended.is_set():
                break
        browsers = _helper([*_guest(), *BROWSERS, str(self._plan.console_port)])
        hearing = threading.Thread(target=self._hear_osc, daemon=True)
        if self._plan.midi:
            self._midi = RtMidiPorts(CLIENT, self._pass_over, lambda name: None)
            self._notes = _helper(NOTE_LISTENER)
        self._send_osc(SUBSCRIBE)
        hearing.start()
        self._turn()
        web = browsers.communicate(timeout=LISTENER_S)[0]
        stdin_ended.join()
        self._listener.close()
        hearing.join(1.0)
        if self._midi is not None:
            self._midi.close()
        if self._notes is not None:
            notes_ns = self._notes.communicate(timeout=LISTENER_S)[0]
            self._notes_ns = msgspec.json.decode(notes_ns, type=list[int]) if notes_ns else []
        return {**self._figures(), "web": msgspec.json.decode(web)}

    def _turn(self) -> None:
        """OSC moves the volume and MIDI the motion; from half of the time on it is the other way round."""
        steps = round(self._plan.seconds * RATE_HZ)
        half = steps // 2 if self._midi is not None else steps
        due_ns = clock.now_ns()
        for step in range(steps):
            if self._ended.is_set():
                return
            due_ns += 1_000_000_000 // RATE_HZ
            if step == half:
                self._send_volume(value_of("volume", VOLUME_AT))
                self._send_osc(address_of_control("motion"), value_of("motion", MOTION_AT))
                due_ns += SETTLE_NS
            clock.sleep_until(due_ns)
            # A value that is there already would change nothing.
            at = step if step < half else step - half + 1
            volume, motion = knob_position(at, VOLUME_AT), knob_position(at, MOTION_AT)
            if step < half:
                self._send_volume(value_of("volume", volume))
                self._send_motion(motion, by_midi=self._midi is not None)
            else:
                self._volumes["midi"].append(VolumeChange(clock.now_ns(), value_of("volume", volume)))
                self._send_knob(VOLUME_KNOB, volume)
                self._send_motion(motion, by_midi=False)

    def _send_volume(self, volume_db: float) -> None:
        self._volumes["osc"].append(VolumeChange(clock.now_ns(), volume_db))
        self._send_osc(address_of_control("volume"), volume_db)

    def _send_motion(self, position: int, *, by_midi: bool) -> None:
        value = value_of("motion", position)
        self._motions.append((clock.now_ns(), value))
        if by_midi:
            self._send_knob(MOTION_KNOB, position)
        else:
            self._send_osc(address_of_control("motion"), value)

    def _send_osc(self, address: str, *values: float) -> None:
        self._osc.sendto(bytes(pack(address, *values).dgram), ("127.0.0.1", self._plan.osc_port))

    def _send_knob(self, controller: int, position: int) -> None:
        if self._midi is not None:
            self._midi.send(bytes([0xB0, controller, position]))

    def _pass_over(self) -> None:
        """What the show sends is heard by the listener."""
        if self._midi is not None:
            self._midi.take()

    def _hear_osc(self) -> None:
        while not self._ended.is_set():
            try:
                datagram = self._osc.recv(65_536)
            except TimeoutError:
                continue
            now_ns = clock.now_ns()
            for call in read_packet(datagram):
                if call.address == address_of_control("motion"):
                    self._echoes.append((now_ns, float(call.arguments[0])))
                elif call.address == ERROR:
                    self._errors.append(" ".join(map(str, call.arguments)))

    def _take(self, message: Message) -> None:
        if isinstance(message, Sound):
            self._sounds[message.tick] = message.fader, message.pcm
        elif isinstance(message, Speaker):
            self._dac_ns[message.tick] = message.dac_ns
            if message.tick >= FIRST_TICK:
                self._begun.set()

    def _wait_for_end(self) -> None:
        sys.stdin.read()
        self._ended.set()

    def _figures(self) -> dict[str, Any]:
        times_ns = times_of(sorted(self._sounds), self._dac_ns)
        faders = [FaderAt(tick, self._sounds[tick][0], dac_ns) for tick, dac_ns in times_ns.items()]
        found: dict[str, Any] = {}
        for source, changes in self._volumes.items():
            if changes:
                found[f"{source}_to_heard"] = delay_figures(heard_after_ms(changes, faders))
        found["motion_to_all_stages"] = delay_figures(told_after_ms(self._motions, self._echoes))
        found["refusals"] = self._errors[:10]
        if self._midi is not None:
            first_ns = self._notes_ns[0] - 100_000_000 if self._notes_ns else 0
            last_ns = self._notes_ns[-1] + 100_000_000 if self._notes_ns else 0
            onsets = [at_ns for at_ns in self._onsets(times_ns) if first_ns <= at_ns <= last_ns]
            found["notes"] = note_figures(onsets, self._notes_ns)
        return found

    def _onsets(self, times_ns: dict[int, int]) -> list[int]:
        """When the onsets of the sound left the device: read as the show itself reads them."""
        reader, onsets = SoundEventReader(), []
        for tick, dac_ns in times_ns.items():
            onset_s = reader.hear(self._sounds[tick][1]).onset_s
            if onset_s is not None:
                onsets.append(dac_ns + round(1e9 * onset_s))
        return onsets


def _helper(program: list[str]) -> subprocess.Popen[str]:
    """Another process, without this one's priority, which says as JSON what it saw when its input ends."""
    leave_realtime()
    try:
        return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    finally:
        request_realtime(PRIORITY)


def _guest() -> list[str]:
    """What makes a program a guest on the machine, whose time is the show's."""
    return ["nice", "-n", "10"] if shutil.which("nice") else []


def main() -> int:
    """Turn until the input ends; returns the exit status."""
    plan = msgspec.json.decode(sys.argv[1], type=DeskPlan)
    try:
        request_realtime(PRIORITY)
        figures = DeskClients(plan).run()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
