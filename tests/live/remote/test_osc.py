"""A show that is played by OSC: a control is changed and echoed, and onsets come with the times of the sound."""

from __future__ import annotations

import socket
import wave

import numpy as np
import pytest

from streaming.conventions import TICK_SAMPLES
from streaming.remote.osc_messages import OscCall, pack, read_packet
from streaming.remote.sound_events import SoundEventReader
from streaming.timing import clock
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = pytest.mark.live


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_controls_are_set_and_onsets_told(stage: ShowFolder) -> None:
    port = free_port()
    calls: list[tuple[float, OscCall]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(0.2)
        arguments = ("--camera", "performer:drums@1", *output_of(stage), "--duration", "9", "--osc", str(port))
        with stage.begin(*arguments) as show:
            wait_for(stage.sounding)
            peer.sendto(bytes(pack("/antiphon/subscribe").dgram), ("127.0.0.1", port))
            until_ns, asked, flood = clock.now_ns() + 4_000_000_000, False, 0
            while clock.now_ns() < until_ns:
                try:
                    data = peer.recvfrom(65_536)[0]
                except TimeoutError:
                    continue
                calls += [(_time_of(data), call) for call in read_packet(data)]
                if not asked:
                    peer.sendto(bytes(pack("/antiphon/temperature", 0.4).dgram), ("127.0.0.1", port))
                    asked = True
                # Thirty changes a second of another control, and noise between them.
                if flood < 120:
                    flood += 1
                    peer.sendto(bytes(pack("/antiphon/sensitivity", 1.0 + 0.001 * flood).dgram), ("127.0.0.1", port))
                    peer.sendto(b"\xff" * 100, ("127.0.0.1", port))
            _, errors = show.communicate(timeout=120)
    assert show.returncode == 0, errors
    report = stage.report()
    assert report["ticks"]["concealed_after_first_second"] == 0
    assert report["stages"]["osc"]["restarts"] == 0
    assert any(call == OscCall("/antiphon/temperature", (pytest.approx(0.4),)) for _, call in calls)
    onsets = np.array([at for at, call in calls if call.address == "/antiphon/out/onset"])
    positions = [(at, call.arguments[0]) for at, call in calls if call.address == "/antiphon/out/position"]
    assert len(onsets) >= 4
    # The file begins with tick 0.
    begin = float(np.median([at - 0.04 * tick for at, tick in positions]))
    with wave.open(str(stage.folder / "out.wav")) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / np.float32(32_768)
    # Where the same reader finds them in the file: what is tested here is that the times arrive as they are.
    reader = SoundEventReader()
    read = [
        reader.hear(pcm).onset_s for pcm in sound[: sound.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES)
    ]
    found = np.array([0.04 * tick + onset_s for tick, onset_s in enumerate(read) if onset_s is not None])
    nearest = np.array([np.abs(found - (onset - begin)).min() for onset in onsets])
    # It began to read later here, so that single onsets may be other ones.
    assert np.median(nearest) < 0.005


def _time_of(data: bytes) -> float:
    if not data.startswith(b"#bundle"):
        return 0.0
    return int.from_bytes(data[8:12], "big") - 2_208_988_800 + int.from_bytes(data[12:16], "big") / 2**32
