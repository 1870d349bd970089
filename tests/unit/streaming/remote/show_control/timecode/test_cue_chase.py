"""Which cues a timecode reaches: in order, once each, after a jump the one that holds, and none backwards."""

from __future__ import annotations

from streaming.remote.show_control.timecode.cue_chase import COAST_NS, CueChase
from streaming.remote.show_control.timecode.timecode import Timecode, TimecodeReading

S = 1_000_000_000
Due = list[tuple[int, float]]
CUES = [1.0, 5.0, None, 5.04, 9.0]


def run(chase: CueChase, begin_s: float, end_s: float, now_ns: int, runs: int = 1) -> tuple[Due, int]:
    """Let 25 frames a second run, looked at every 40 ms half a frame later; gives each due cue with its place."""
    found, frame = [], round(begin_s * 25)
    while (frame - round(end_s * 25)) * runs < 0:
        timecode = Timecode(0, 0, frame // 25, frame % 25)
        chase.hear(TimecodeReading(timecode, 25.0, now_ns, runs), now_ns + S // 50)
        found += [(place, frame / 25) for place in chase.due(CUES, now_ns + S // 50)]
        frame, now_ns = frame + runs, now_ns + S // 25
    return found, now_ns


def test_every_cue_comes_once_within_a_frame_of_its_time() -> None:
    found, _ = run(CueChase(), 0.0, 10.0, S)
    assert [place for place, _ in found] == [0, 1, 3, 4]
    for place, at_s in found:
        wanted = CUES[place]
        assert wanted is not None
        assert -0.045 <= at_s - wanted <= 0.0, "within a frame, for the frame has begun 20 ms ago"


def test_a_show_that_begins_in_the_middle_takes_the_cue_that_holds_there() -> None:
    chase = CueChase()
    found, now_ns = run(chase, 6.0, 7.0, S)
    assert [place for place, _ in found] == [3]
    found, now_ns = run(chase, 2.0, 3.0, now_ns)
    assert [place for place, _ in found] == [0], "a jump back"
    found, now_ns = run(chase, 8.5, 9.5, now_ns)
    assert [place for place, _ in found] == [3, 4], "a jump forward, and what follows"
    found, _ = run(chase, 0.0, 0.5, now_ns)
    assert found == [], "before the first cue there is none"


def test_backwards_and_standing_nothing_is_passed() -> None:
    chase = CueChase()
    _, now_ns = run(chase, 8.0, 8.2, S)
    found, now_ns = run(chase, 8.2, 4.0, now_ns, runs=-1)
    assert found == []
    found, _ = run(chase, 4.0, 5.2, now_ns)
    assert [place for place, _ in found] == [1, 3], "forward again"


def test_jitter_does_not_pass_a_cue_twice() -> None:
    chase = CueChase()
    due = []
    for index, offset_ms in enumerate((0, 30, -25, 30, -30, 20, 0, 0)):
        frame, now_ns = 123 + index, S + index * S // 25
        reading = TimecodeReading(Timecode(0, 0, frame // 25, frame % 25), 25.0, now_ns + offset_ms * 1_000_000)
        chase.hear(reading, now_ns)
        due += chase.due(CUES, now_ns)
    assert due.count(1) + due.count(3) == 2


def test_what_is_heard_no_more_coasts_for_a_moment() -> None:
    chase = CueChase()
    _, now_ns = run(chase, 4.5, 4.96, S)
    assert chase.due(CUES, now_ns + S // 10) == [1, 3]
    chase = CueChase()
    _, now_ns = run(chase, 4.5, 4.96, S)
    assert chase.due(CUES, now_ns + COAST_NS + S) == []
    assert not chase.hears(now_ns + COAST_NS + S)
