"""What a page sees: small pictures made once, a spectrogram whose bands rise with the pitch, points as numbers."""

from __future__ import annotations

import json

import cv2
import numpy as np

from streaming.conventions import SAMPLE_RATE, TICK_SAMPLES
from streaming.remote.console.show_watch import MOST_COLUMNS, MOST_WAITING, THUMBNAIL_SIDE, ShowWatch, band_edges
from streaming.schema.messages import Camera, Message, Microphone, Motion, Picture, Screen, Sound, Speaker
from streaming.stage import Inputs

IMAGE = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)


SHOWN: dict[str, list[Message]] = {"screen": [Screen(tick=1, shown_ns=1)]}


def sound(tick: int, hz: float, gain: float = 0.5) -> Sound:
    at = np.arange(tick * TICK_SAMPLES, (tick + 1) * TICK_SAMPLES) / SAMPLE_RATE
    return Sound(tick=tick, pcm=(gain * np.sin(2 * np.pi * hz * at)).astype(np.float32))


def test_pictures_are_small_and_made_once() -> None:
    watch = ShowWatch()
    assert watch.pictures["camera"].jpeg() == b""
    watch.take(Inputs(messages={"camera": [Camera(image=IMAGE)], "picture": [Picture(tick=1, image=IMAGE)], **SHOWN}))
    small = watch.pictures["camera"].jpeg()
    assert watch.pictures["camera"].jpeg() is small
    decoded = cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (270, THUMBNAIL_SIDE, 3)
    full = cv2.imdecode(np.frombuffer(watch.pictures["picture"].jpeg(full=True), np.uint8), cv2.IMREAD_COLOR)
    assert full is not None
    assert full.shape == IMAGE.shape
    watch.take(Inputs(messages={"camera": [Camera(image=IMAGE[::2, ::2])]}))
    assert watch.pictures["camera"].jpeg() is not small


def test_a_picture_is_seen_when_the_screen_shows_it() -> None:
    watch, seen = ShowWatch(), []

    def take(*pictures: int, shown: int | None = None) -> None:
        messages: dict[str, list[Message]] = {
            "picture": [Picture(tick=tick, image=np.full((2, 2, 3), tick, np.uint8)) for tick in pictures],
            "screen": [] if shown is None else [Screen(tick=shown, shown_ns=1)],
        }
        watch.take(Inputs(messages=messages))
        image = watch.pictures["picture"].image
        seen.append(None if image is None else int(image[0, 0, 0]))

    take(1, 2, 3)
    take(shown=1)
    take(shown=3)
    take(shown=4)
    take(4)
    assert seen == [None, 1, 3, 3, 4], "one that comes after the word that it is shown is shown at once"
    for tick in range(5, 15):
        take(tick)
    assert seen[-1] == 14 - MOST_WAITING, "without a screen they come late"


def test_a_higher_sound_lies_in_a_higher_band_and_columns_come_once() -> None:
    watch = ShowWatch()
    loudest = []
    newest = 0
    for hz in (110.0, 440.0, 1_760.0, 7_040.0):
        watch.take(Inputs(messages={"sound": [sound(tick, hz) for tick in range(3)]}))
        newest, values = watch.meters(newest)
        assert len(values["columns"]) == 3
        assert len(values["columns"][-1]) == len(band_edges()) - 1
        loudest.append(int(np.argmax(values["columns"][-1])))
    assert loudest == sorted(set(loudest))
    assert watch.meters(newest)[1]["columns"] == []
    watch.take(Inputs(messages={"sound": [sound(tick, 440.0, 0.0) for tick in range(200)]}))
    columns = watch.meters(newest)[1]["columns"]
    assert len(columns) == MOST_COLUMNS
    assert max(columns[-1]) == 0


def test_levels_flow_and_points_are_plain_numbers() -> None:
    watch = ShowWatch()
    body = np.zeros((33, 3), np.float32)
    body[0] = (0.5, 0.25, 1.0)
    hands = np.zeros((2, 21, 3), np.float32)
    hands[1, :, 2] = 0.9
    motion = Motion(
        flow=np.full((2, 16, 16), 0.125, np.float32),
        speed=np.zeros((16, 16), np.float32),
        embedding=np.zeros(128, np.float32),
        body=body,
        body_score=0.9,
        hands=hands,
        still_s=1.5,
        instrument="strings",
    )
    messages: dict[str, list[Message]] = {
        "motion": [motion],
        "speaker": [Speaker(tick=3, dac_ns=1, level_db=-9.0)],
        "sound": [sound(3, 440.0)],
        "microphone": [Microphone(tick=3, pcm=sound(3, 1.0).pcm, level_db=-30.0)],
    }
    watch.take(Inputs(messages=messages))
    _, values = watch.meters(0)
    assert json.loads(json.dumps(values)) == values
    assert values["levels"] == {"speaker": -9.0, "microphone": -30.0, "music": -9.0}
    assert values["flow"] == [0.12] * 512
    assert values["body"][0] == [0.5, 0.25, 1.0]
    assert len(values["hands"]) == 1
    assert (values["still"], values["instrument"], values["tick"]) == (1.5, "strings", 3)
    motion.body_score = 0.0
    assert watch.meters(0)[1]["body"] == []


def test_a_show_that_makes_no_music_shows_what_it_hears() -> None:
    watch = ShowWatch(hears_only=True)
    watch.take(Inputs(messages={"microphone": [Microphone(tick=1, pcm=sound(1, 440.0).pcm)]}))
    assert len(watch.meters(0)[1]["columns"]) == 1


def test_the_limiter_is_shown_and_falls_back() -> None:
    watch = ShowWatch()
    loud = sound(1, 440.0)
    loud.limited_db = 4.0
    watch.take(Inputs(messages={"sound": [loud]}))
    assert watch.meters(0)[1]["limited"] == 4.0
    for tick in range(2, 20):
        watch.take(Inputs(messages={"sound": [sound(tick, 440.0)]}))
    assert watch.meters(0)[1]["limited"] == 0.0
