"""The times of a file's frames, whatever its stamps do."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streaming.devices.cameras.frame_reader import FrameTimes
from streaming.devices.cameras.video_file import VideoFile
from tests.unit.streaming.devices.camera_clock import MS, a_context, notes, play, started

TICK = 40 * MS


def times(stamps: list[tuple[int | None, int | None]]) -> list[int | None]:
    """The times of frames with these stamps, in frames."""
    clock = FrameTimes(TICK)
    found = [
        clock.time_ns(*(None if stamp is None else stamp * TICK for stamp in stamps_of_one)) for stamps_of_one in stamps
    ]
    return [None if time is None else round(time / TICK) for time in found]


def test_stamps_in_order_are_kept() -> None:
    assert times([(7, 5), (8, 6), (10, 7), (13, 8)]) == [0, 1, 3, 6]
    assert times([(7, None), (8, None)]) == [0, 1]
    assert times([(None, 3), (None, 4)]) == [0, 1]


def test_stamps_of_frames_in_the_order_of_decoding_give_way_to_those_of_decoding() -> None:
    """As AVI has them, with frames that refer to later ones."""
    shuffled: list[int | None] = [1, 4, 3, 5, 2, 8, 7, 9, 6, 12, 11, 13, 10]
    found = times([(shown, 2 + n) for n, shown in enumerate(shuffled)])
    assert found == [0, 3, None, None, *range(4, 13)]


def test_stamps_without_any_order_give_way_to_the_number_of_the_frame() -> None:
    found = times([(shown, None) for shown in (1, 4, 3, 5, 2, 8, 7, 9, 6)])
    assert found == [0, 3, 4, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize("jump", [-5_000, -100, 251 + 90_000])
def test_a_jump_back_or_far_ahead_is_one_interval(jump: int) -> None:
    stamps = [(n, n) for n in range(100)] + [(100 + jump + n, 100 + jump + n) for n in range(100)]
    assert times(list(stamps)) == list(range(200))


def test_frames_that_were_left_out_are_no_jump() -> None:
    clock = FrameTimes(TICK)
    assert clock.time_ns(0, 0) == 0
    assert clock.time_ns(500 * TICK, 500 * TICK, skipping=True) == 500 * TICK
    assert clock.jumps == 0


def write_jumping(path: Path, starts_s: list[float], frames: int = 10) -> Path:
    """A transport stream: parts of some frames, frame n of brightness 10 + 8 n, whose stamps begin where they like."""
    # The muxer refuses stamps that go back, so each part is a stream of its own; joined, as with `cat`.
    whole = b""
    for part, start_s in enumerate(starts_s):
        single = path.with_name(f"{part}.ts")
        with av.open(str(single), "w", format="mpegts", options={"mpegts_copyts": "1"}) as container:
            copy = container.add_stream("mpeg2video", rate=25)
            copy.width, copy.height, copy.pix_fmt = 64, 48, "yuv420p"
            for n in range(frames):
                image = np.full((48, 64, 3), 10 + 8 * (part * frames + n), np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="bgr24")
                frame.pts = n
                for packet in copy.encode(frame):
                    shift = round(start_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    container.mux(packet)
            for packet in copy.encode(None):
                shift = round(start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                container.mux(packet)
        whole += single.read_bytes()
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("starts_s", [[100.0, 3.0], [0.0, 3_600.0]])
def test_a_file_of_two_that_were_joined_is_played_to_its_end(tmp_path: Path, starts_s: list[float]) -> None:
    context = a_context()
    source = started(VideoFile(str(write_jumping(tmp_path / "v.ts", starts_s))), context)
    frames = list(play(source, 2_000 * MS, 4_000 * MS))
    source.close()
    seen = [(round((frame.image.mean() - 10) / 8), round((frame.capture_ns - 2_000 * MS) / TICK)) for frame in frames]
    assert len(seen) >= 18, "FFmpeg loses one or two at the seam"
    assert seen[-1][0] == 19
    gaps = np.diff([time for _, time in seen])
    assert gaps.max() <= 2, "no gap is seen"
    assert [line for line in notes(context) if "its time stamps jump" in line]
