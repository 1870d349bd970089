"""Reading the person: fields of the motion, frames that are sent twice, and eyes that are missing or fail."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engines.contract import EngineError
from engines.eyes.catalogue import MissingEyesError
from streaming.conventions import EMBEDDING_DIM, FLOW_GRID
from streaming.errors import SettingError
from streaming.schema.messages import Motion
from streaming.settings.config import Show
from streaming.vision.eyes.eyes import Eyes
from streaming.vision.eyes.person import Person
from streaming.vision.motion.hand_motion import HAND_INDEX
from streaming.vision.person_reader import BODY_ALONE, OWN, PUBLISHED, PersonReader, open_person_reader
from tests.eye_world import SeenHand, World, hand_at
from tests.people import SCALE, person_with

FRAME = np.zeros((48, 64, 3), np.uint8)


class WatcherOf:
    """Sees given people, one a look; fails where there is none."""

    sees_hands = True
    body_alone = False

    def __init__(self, people: list[Person]) -> None:
        self.people = people
        self.looks: list[int] = []
        self.resets = 0

    def look(self, frame: np.ndarray, now_ns: int) -> Person:
        self.looks.append(now_ns)
        if len(self.looks) > len(self.people):
            raise EngineError("the runtime has ended")
        return self.people[len(self.looks) - 1]

    def reset(self) -> None:
        self.resets += 1


def moving(index: int) -> Motion:
    grid = np.zeros((FLOW_GRID, FLOW_GRID), np.float32)
    return Motion(
        flow=np.stack([grid, grid]), speed=grid, embedding=np.zeros(EMBEDDING_DIM, np.float32), capture_ns=index * 10**8
    )


def read(reader: PersonReader, index: int, repeats: bool = False) -> Motion:
    motion = moving(index)
    reader.begin(FRAME, motion.capture_ns, repeats)
    reader.finish(motion)
    return motion


def sees(motion: Motion) -> bool:
    return motion.hands is not None and bool(motion.hands.any())


def test_the_motion_carries_the_person() -> None:
    people = [person_with(left=(0.3, 0.3 + 0.1 * index), body=(0.5, 0.5)) for index in range(2)]
    reader = PersonReader(WatcherOf(people))
    read(reader, 1)
    motion = read(reader, 2)
    np.testing.assert_array_equal(motion.body, people[1].body)
    np.testing.assert_array_equal(motion.hands, people[1].hands)
    assert (motion.body_score, motion.scale) == (0.99, SCALE)
    row = motion.hands_motion[0]
    assert row[HAND_INDEX["vy"]] == pytest.approx(np.log1p(0.1 / 0.1 / SCALE), rel=0.01)
    assert reader.plays


def test_without_a_person_everything_is_zero() -> None:
    motion = read(PersonReader(WatcherOf([Person()])), 1)
    for array, shape in ((motion.body, (33, 3)), (motion.hands, (2, 21, 3)), (motion.hands_motion, (2, 8))):
        assert array is not None
        assert array.shape == shape
        assert array.dtype == np.float32
        assert not array.any()


def test_a_frame_that_is_sent_twice_is_looked_at_once_and_a_still_one_again() -> None:
    watcher = WatcherOf([person_with(left=(0.3, 0.3 + 0.05 * min(index, 1))) for index in range(6)])
    reader = PersonReader(watcher)
    read(reader, 1)
    before, again = read(reader, 2), read(reader, 3, repeats=True)
    assert len(watcher.looks) == 2
    assert np.array_equal(again.hands_motion, before.hands_motion)
    read(reader, 4, repeats=True)
    assert len(watcher.looks) == 3, "a still picture is looked at, or nobody in it would ever be found"


def test_eyes_that_fail_are_not_used_again_and_the_show_goes_on() -> None:
    notes: list[str] = []
    watcher = WatcherOf([person_with(left=(0.3, 0.3))])
    reader = PersonReader(watcher, notes.append)
    assert sees(read(reader, 1))
    for index in (2, 3):
        assert read(reader, index).hands is None
    assert len(watcher.looks) == 2
    assert not reader.plays
    (note,) = notes
    assert "the runtime has ended" in note
    reader.reset()


def test_eyes_look_meanwhile_in_another_thread() -> None:
    people = [person_with(left=(0.3, 0.3 + 0.05 * index)) for index in range(4)]
    gate = threading.Event()

    class SlowWatcher(WatcherOf):
        def look(self, frame: np.ndarray, now_ns: int) -> Person:
            assert gate.wait(30)
            return super().look(frame, now_ns)

    at_once = PersonReader(WatcherOf(people))
    reader = PersonReader(SlowWatcher(people), executor=ThreadPoolExecutor(1))
    for index in range(1, 5):
        gate.clear()
        motion = moving(index)
        reader.begin(FRAME, motion.capture_ns, repeats=False)
        gate.set()  # only now it can look: begin has not waited
        reader.finish(motion)
        assert np.array_equal(motion.hands_motion, read(at_once, index).hands_motion)
        assert sees(motion)
    reader.close()


def test_eyes_that_fail_in_another_thread_are_said_once() -> None:
    notes: list[str] = []
    reader = PersonReader(WatcherOf([]), notes.append, ThreadPoolExecutor(1))
    assert read(reader, 1).hands is None
    assert read(reader, 2).hands is None
    assert len(notes) == 1
    reader.close()
    assert not reader.plays


def test_closing_and_resetting_wait_for_a_look_that_was_begun() -> None:
    watcher = WatcherOf([person_with(left=(0.3, 0.3))] * 2)
    reader = PersonReader(watcher, executor=ThreadPoolExecutor(1))
    reader.begin(FRAME, 1, repeats=False)
    reader.reset()
    assert len(watcher.looks) == 1
    motion = moving(1)
    reader.finish(motion)
    assert not sees(motion), "it was forgotten"
    reader.begin(FRAME, 2, repeats=False)
    reader.close()
    assert len(watcher.looks) == 2


def test_it_says_what_looks() -> None:
    watcher = WatcherOf([])
    reader = PersonReader(watcher)
    assert reader.words == PUBLISHED
    watcher.sees_hands = False
    assert reader.words == BODY_ALONE
    read(reader, 1)
    assert reader.words == OWN


def test_resetting_forgets_the_person() -> None:
    watcher = WatcherOf([person_with(left=(0.3, 0.3)), person_with(left=(0.3, 0.5))])
    reader = PersonReader(watcher)
    resets = watcher.resets
    read(reader, 1)
    reader.reset()
    assert watcher.resets == resets + 1
    assert read(reader, 2).hands_motion[0, HAND_INDEX["speed"]] == 0.0


def missing() -> Eyes:
    raise MissingEyesError("the network palm_detector is not here", Path("/nowhere"))


def unseen() -> Eyes:
    raise AssertionError("it looked")


def test_the_bundles_own_network_alone_never_opens_the_eyes() -> None:
    assert open_person_reader(Show(eyes="bundle"), pytest.fail, unseen) is None


def test_eyes_that_are_missing_are_said_in_one_line_and_the_show_goes_on() -> None:
    notes: list[str] = []
    assert open_person_reader(Show(), notes.append, missing) is None
    (note,) = notes
    assert "shipped network is used" in note
    assert note.endswith("make eyes")


def test_eyes_that_are_asked_for_and_missing_are_an_error_of_the_user() -> None:
    with pytest.raises(SettingError, match=r"--eyes mediapipe: .*palm_detector is not here.*make eyes"):
        open_person_reader(Show(eyes="mediapipe"), pytest.fail, missing)


@pytest.mark.parametrize("eyes", ["auto", "mediapipe"])
def test_real_trackers_on_fake_networks_see_a_hand(eyes: str) -> None:
    world = World(hands=[SeenHand(hand_at(120.0, 150.0, 40.0))])
    reader = open_person_reader(Show(eyes=eyes), pytest.fail, lambda: Eyes(world.engines()))
    assert reader is not None
    for index in range(1, 12):
        motion = moving(index)
        reader.begin(world.frame(), motion.capture_ns, repeats=False)
        reader.finish(motion)
    reader.close()
    assert motion.hands_motion[:, HAND_INDEX["known"]].max() > 0.9


def test_under_load_every_second_frame_is_looked_at_and_the_hands_stay_as_seen() -> None:
    watcher = WatcherOf([person_with(left=(0.3, 0.3 + 0.02 * n)) for n in range(20)])
    reader = PersonReader(watcher)

    def read_at_25_hz(number: int) -> Motion:
        motion = moving(0)
        motion.capture_ns = 40_000_000 * number
        reader.begin(FRAME, motion.capture_ns, repeats=False)
        reader.finish(motion)
        return motion

    read_at_25_hz(1)
    reader.spare(2, body_alone=False)
    motions = [read_at_25_hz(number) for number in range(2, 10)]
    assert len(watcher.looks) == 1 + 4
    speeds = [float(motion.hands_motion[0, HAND_INDEX["speed"]]) for motion in motions]
    assert all(speed > 0.0 for speed in speeds), "a frame that is not looked at is no stillness"
    for seen, kept in zip(motions[0::2], motions[1::2], strict=True):
        np.testing.assert_array_equal(seen.hands_motion, kept.hands_motion)
    reader.spare(1, body_alone=False)
    read_at_25_hz(10)
    read_at_25_hz(11)
    assert len(watcher.looks) == 7


def test_under_load_the_hands_are_left_out_and_the_eyes_are_said_to_be_the_same() -> None:
    watcher = WatcherOf([Person()] * 9)
    reader = PersonReader(watcher)
    reader.spare(2, body_alone=True)
    assert watcher.body_alone
    watcher.sees_hands = False
    assert reader.words == PUBLISHED
    reader.spare(1, body_alone=False)
    assert not watcher.body_alone
