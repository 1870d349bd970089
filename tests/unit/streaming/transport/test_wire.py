"""What is packed comes back equal; whatever else arrives is refused with a reason and nothing but a WireError."""

from __future__ import annotations

import pickle  # noqa: TID251  -- to prove that it is refused
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from streaming import conventions
from streaming.errors import WireError
from streaming.schema import messages
from streaming.schema.messages import (
    TOPICS,
    Camera,
    Flow,
    Health,
    Hearing,
    Message,
    Microphone,
    Motion,
    Picture,
    Scene,
    Screen,
    Set,
    Sound,
    Speaker,
    Start,
    Stop,
    Tokens,
)
from streaming.schema.topics import COMMON_LIMITS, Layout, Policy, Topic
from streaming.transport import wire


def samples() -> dict[str, Message]:
    rng = np.random.default_rng(1)
    common: dict[str, Any] = {"seq": 7, "capture_ns": 123_456_789_012, "stamps": {"camera": 5, "motion": 9}}
    return {
        "camera": Camera(image=rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), index=3, rate_hz=25.0, **common),
        "motion": Motion(
            flow=rng.normal(size=(2, 16, 16)).astype(np.float32),
            speed=rng.random((16, 16), dtype=np.float32),
            embedding=rng.random(128, dtype=np.float32),
            interval_ms=40.0,
            **common,
        ),
        "tokens": Tokens(tick=11, frames=rng.integers(0, 2048, (4, 2)).astype(np.int16), fresh=True, **common),
        "sound": Sound(tick=11, pcm=rng.uniform(-1, 1, 1280).astype(np.float32), **common),
        "speaker": Speaker(tick=12, dac_ns=99, rate_hz=31_999.2, slack_ms=None, played=3, level_db=-20.5, **common),
        "microphone": Microphone(tick=1, pcm=rng.uniform(-1, 1, 1280).astype(np.float32), level_db=-9.5, **common),
        "hearing": Hearing(tick=1, latent=rng.normal(size=128).astype(np.float32), level_db=-9.5, **common),
        "flow": Flow(
            tick=1,
            flow=rng.normal(size=(2, 16, 16)).astype(np.float32),
            heard=rng.normal(size=128).astype(np.float32),
            scenes=["0123456789abcdef", "fedcba9876543210"],
            mode_counts=[36, 4],
            amplitudes=rng.normal(size=40).astype(np.float32),
            **common,
        ),
        "scene": Scene(
            identity="0123456789abcdef",
            name="prior.png",
            image=rng.integers(0, 255, (512, 1232, 3), dtype=np.uint8),
            still=rng.integers(0, 255, (128, 128, 3), dtype=np.uint8),
            **common,
        ),
        "picture": Picture(tick=2, image=rng.integers(0, 255, (48, 64, 3), dtype=np.uint8), **common),
        "screen": Screen(tick=2, shown_ns=77, shown=3, missed=1, **common),
    }


def flat(frames: list[wire.Frame]) -> list[bytes]:
    return [bytes(frame) for frame in frames]


def equal(a: Message, b: Message) -> bool:
    if type(a) is not type(b):
        return False
    for name in a.__struct_fields__:
        x, y = getattr(a, name), getattr(b, name)
        if isinstance(x, np.ndarray):
            if x.dtype != y.dtype or x.shape != y.shape or not np.array_equal(x, y):
                return False
        elif x != y:
            return False
    return True


def reason(frames: list[bytes], topic: str) -> str:
    with pytest.raises(WireError) as caught:
        wire.unpack(frames, TOPICS[topic])
    assert caught.value.reason in wire.REASONS
    return caught.value.reason


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_round_trip(topic: str) -> None:
    message = samples()[topic]
    frames = flat(wire.pack(message, TOPICS[topic]))
    assert frames[0] == topic.encode()
    assert equal(message, wire.unpack(frames, TOPICS[topic]))


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_the_largest_nominal_message_fits(topic: str) -> None:
    message = samples()[topic]
    if isinstance(message, (Camera, Picture)):
        message.image = np.zeros((720, 1280, 3), np.uint8)
    wire.pack(message, TOPICS[topic])


def test_received_arrays_are_read_only_views() -> None:
    frames = flat(wire.pack(samples()["camera"], TOPICS["camera"]))
    received = wire.unpack(frames, TOPICS["camera"])
    assert isinstance(received, Camera)
    assert np.shares_memory(received.image, np.frombuffer(frames[2], np.uint8))
    with pytest.raises(ValueError, match="read-only"):
        received.image[0, 0, 0] = 1


def test_packing_does_not_copy() -> None:
    message = samples()["camera"]
    assert isinstance(message, Camera)
    frames = wire.pack(message, TOPICS["camera"])
    assert np.shares_memory(message.image, np.frombuffer(frames[2], np.uint8))


def test_writable_and_unaligned_buffers() -> None:
    frames = flat(wire.pack(samples()["sound"], TOPICS["sound"]))
    padded = bytearray(b"\0" + frames[2])
    received = wire.unpack([frames[0], frames[1], memoryview(padded)[1:]], TOPICS["sound"])
    assert isinstance(received, Sound)
    assert received.pcm.flags.aligned
    assert not received.pcm.flags.writeable
    assert equal(received, samples()["sound"])


def test_strided_and_big_endian_arrays_arrive_equal() -> None:
    message = samples()["sound"]
    assert isinstance(message, Sound)
    wide = np.repeat(message.pcm, 2).astype(">f4")[::2]
    frames = flat(wire.pack(Sound(tick=1, pcm=wide), TOPICS["sound"]))
    received = wire.unpack(frames, TOPICS["sound"])
    assert isinstance(received, Sound)
    assert np.array_equal(received.pcm, message.pcm)


def test_numpy_scalars_travel_as_numbers() -> None:
    speaker = Speaker(tick=np.int64(4), dac_ns=np.int64(5), rate_hz=np.float32(3.5))  # type: ignore[arg-type]
    received = wire.unpack(flat(wire.pack(speaker, TOPICS["speaker"])), TOPICS["speaker"])
    assert received == Speaker(tick=4, dac_ns=5, rate_hz=3.5)


@pytest.mark.parametrize("dtype", ["object", "complex64", "float16", "bool", "U3", "M8[ns]"])
def test_pack_refuses_other_dtypes(dtype: str) -> None:
    with pytest.raises(WireError, match="dtype"):
        wire.pack(Sound(tick=1, pcm=np.zeros(1280, dtype)), TOPICS["sound"])


def test_pack_refuses_what_is_too_large_or_of_another_topic() -> None:
    with pytest.raises(WireError, match="oversized"):
        wire.pack(Camera(image=np.zeros((2_000, 2_000, 3), np.uint8)), TOPICS["camera"])
    with pytest.raises(WireError, match="topic"):
        wire.pack(samples()["motion"], TOPICS["sound"])
    with pytest.raises(WireError, match="shape"):
        wire.pack(Sound(tick=1, pcm=np.zeros((1, 1, 1, 1, 1), np.float32)), TOPICS["sound"])


def header(array: Any, version: Any = messages.SCHEMA_VERSION) -> bytes:
    return msgspec.msgpack.encode([version, {"tick": 3, "pcm": array}])


GOOD = b"\0" * 5120


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], "truncated"),
        ([b"sound"], "truncated"),
        ([b"soun", header(["float32", [1280], 0]), GOOD], "topic"),
        ([b"sound", header(["float32", [1280], 0])[:-4], GOOD], "truncated"),
        ([b"sound", b"", GOOD], "truncated"),
        ([b"sound", header(["float32", [1280], 0])], "truncated"),
        ([b"sound", header(["float32", [1280], 0]), GOOD[:-1]], "shape"),
        ([b"sound", header(["float32", [1280], 0]), b"\0" * 20_000], "oversized"),
        ([b"sound", header(["float32", [1280], 0], version=2), GOOD], "version"),
        ([b"sound", header(["float32", [1280], 0], version="1"), GOOD], "malformed"),
        ([b"sound", header(["object", [640], 0]), GOOD], "dtype"),
        ([b"sound", header(["float16", [2560], 0]), GOOD], "dtype"),
        ([b"sound", header(["V8", [640], 0]), GOOD], "dtype"),
        ([b"sound", header([["float32"], [1280], 0]), GOOD], "dtype"),
        ([b"sound", header(["float32", [-1280], 0]), GOOD], "shape"),
        ([b"sound", header(["float32", [-1], 0]), GOOD], "shape"),
        ([b"sound", header(["float32", [1, 1, 1, 1, 1280], 0]), GOOD], "shape"),
        ([b"sound", header(["float32", [1280, 1], 0]), GOOD], "shape"),
        ([b"sound", header(["float32", [0, 2**62, 2**62], 0]), b""], "shape"),
        ([b"sound", header(["float32", [1280.0], 0]), GOOD], "malformed"),
        ([b"sound", header(["float32", [1280], True]), GOOD], "malformed"),
        ([b"sound", header(["float32", [1280], -1]), GOOD], "malformed"),
        ([b"sound", header(["float32", [1280], 2**60]), GOOD], "truncated"),
        ([b"sound", header("float32"), GOOD], "malformed"),
        ([b"sound", header(["float32", [1280], 0]), GOOD, GOOD], "malformed"),
        ([b"sound", header(["float32", [1280], 0]), GOOD, *[b""] * 20], "malformed"),
        ([b"sound", header(["int32", [1280], 0]), GOOD], "dtype"),
        ([b"sound", header(["float32", [1280], 0]), b"\xff" * 5120], "range"),
        ([b"sound", msgspec.msgpack.encode([1, {"tick": "x", "pcm": ["float32", [1280], 0]}]), GOOD], "malformed"),
        ([b"sound", msgspec.msgpack.encode([1, {}]), GOOD], "malformed"),
        ([b"sound", b"\x92\x01" + b"\x91" * 5_000, GOOD], "malformed"),
        ([b"sound", b"\x92\x01\x83\xa1x" + b"\x91" * 5_000 + b"\x01", GOOD], "malformed"),
        ([b"sound", b"\xde\xad\xbe\xef" * 8, GOOD], "malformed"),
    ],
)
def test_refused_with_its_reason(frames: list[bytes], expected: str) -> None:
    assert reason(frames, "sound") == expected


def test_codes_beyond_the_codebook_are_refused() -> None:
    for bad in (-1, conventions.CARDINALITY):
        codes = np.full((4, 2), bad, np.int16)
        assert reason(flat(wire.pack(Tokens(tick=1, frames=codes), TOPICS["tokens"])), "tokens") == "range"


def test_a_tick_is_tokens_or_a_spectrogram_and_nothing_else() -> None:
    mel = np.random.default_rng(0).normal(size=(192, 2)).astype(np.float32)
    back = wire.unpack(flat(wire.pack(Tokens(tick=1, frames=mel), TOPICS["tokens"])), TOPICS["tokens"])
    assert isinstance(back, Tokens)
    assert np.array_equal(back.frames, mel)
    for bad, why in ((mel * np.nan, "range"), (mel.astype(np.float64), "dtype"), (mel.T.copy(), "shape")):
        assert reason(flat(wire.pack(Tokens(tick=1, frames=bad), TOPICS["tokens"])), "tokens") == why


def test_a_motion_without_eyes_has_no_points_and_one_with_eyes_has_right_ones() -> None:
    sent = samples()["motion"]
    assert isinstance(sent, Motion)
    topic = TOPICS["motion"]
    received = wire.unpack(flat(wire.pack(sent, topic)), topic)
    assert isinstance(received, Motion)
    assert received.body is None
    assert received.hands is None
    assert received.hands_motion.shape == (2, 8)
    sent.body, sent.hands = np.ones((33, 3), np.float32), np.ones((2, 21, 3), np.float32)
    received = wire.unpack(flat(wire.pack(sent, topic)), topic)
    assert equal(sent, received)
    sent.hands = np.ones((21, 3), np.float32)
    assert reason(flat(wire.pack(sent, topic)), "motion") == "shape"


def test_an_array_that_must_be_there_cannot_be_null() -> None:
    header = msgspec.msgpack.encode([1, {"image": None}])
    assert reason([b"camera", header], "camera") == "malformed"


def test_an_image_without_pixels_is_refused() -> None:
    assert reason(flat(wire.pack(Camera(image=np.zeros((0, 4, 3), np.uint8)), TOPICS["camera"])), "camera") == "shape"


def test_one_buffer_cannot_serve_two_arrays() -> None:
    class TwoArrays(Message, kw_only=True):
        a: np.ndarray
        b: np.ndarray

    topic = Topic("pair", TwoArrays, 1.0, Policy.LATEST, 1_000, 1)
    frames = flat(wire.pack(TwoArrays(a=np.zeros(0, np.int64), b=np.ones((2, 2), np.float64)), topic))
    received = wire.unpack(frames, topic)
    assert isinstance(received, TwoArrays)
    assert received.a.shape == (0,)
    assert np.array_equal(received.b, np.ones((2, 2)))
    twice = msgspec.msgpack.encode([1, {"a": ["uint8", [4], 0], "b": ["uint8", [4], 0]}])
    with pytest.raises(WireError, match="malformed"):
        wire.unpack([b"pair", twice, b"\0" * 4], topic)


def test_pickle_is_refused() -> None:
    data = pickle.dumps([1, {"tick": 1, "pcm": np.zeros(1280, np.float32)}])
    assert reason([b"sound", data], "sound") == "malformed"
    assert reason([b"sound", header(["object", [1], 0]), pickle.dumps(samples()["sound"].seq)], "sound") == "dtype"


def test_fields_of_a_newer_writer_are_ignored() -> None:
    body = {"tick": 3, "pcm": ["float32", [1280], 0], "colour": "red"}
    received = wire.unpack([b"sound", msgspec.msgpack.encode([1, body]), GOOD], TOPICS["sound"])
    assert isinstance(received, Sound)
    assert received.tick == 3


def mutate(frames: list[bytes], rng: random.Random) -> list[bytes]:
    frames = list(frames)
    for _ in range(rng.randint(1, 4)):
        which = rng.choice([1, 1, 1, 0, rng.randrange(len(frames))]) % len(frames) if frames else 0
        kind = rng.randrange(9)
        if not frames:
            return frames
        data = bytearray(frames[which])
        if kind <= 2 and data:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == 3 and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 4:
            del data[rng.randrange(len(data) + 1) :]
        elif kind == 5:
            at = rng.randrange(len(data) + 1)
            data[at:at] = rng.randbytes(rng.randint(1, 12))
        elif kind == 6 and len(data) > 2:
            a, b = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
            del data[a:b]
        elif kind == 7:
            frames.insert(rng.randrange(len(frames) + 1), rng.randbytes(rng.randint(0, 40)))
            continue
        elif kind == 8:
            frames.pop(which)
            continue
        frames[which] = bytes(data)
    return frames


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_mutations_decode_or_raise_a_wire_error(topic: str) -> None:
    rng, seen = random.Random(topic), Counter[str]()
    good = flat(wire.pack(samples()[topic], TOPICS[topic]))
    for _ in range(4_000):
        try:
            received = wire.unpack(mutate(good, rng), TOPICS[topic])
        except WireError as error:
            seen[error.reason] += 1
        else:
            seen["accepted"] += 1
            assert isinstance(received, TOPICS[topic].message)
            wire.unpack(flat(wire.pack(received, TOPICS[topic])), TOPICS[topic])
    assert set(seen) <= {"accepted", *wire.REASONS}
    assert seen["accepted"] > 100
    assert seen["malformed"] > 100
    assert seen["truncated"] > 50
    assert seen["topic"] > 50


def test_a_smaller_limit_is_kept() -> None:
    frames = flat(wire.pack(samples()["sound"], TOPICS["sound"]))
    with pytest.raises(WireError, match="oversized"):
        wire.unpack(frames, replace(TOPICS["sound"], max_bytes=5_000))


def test_control_round_trip() -> None:
    health = Health(
        stage="sound",
        counters={"published": 3},
        gauges={"level": -3.5},
        histograms={"step_ms": {12: 4}},
        memo={"pcm": np.arange(3), "n": np.int64(4), "deep": {"list": [1, "a", None]}},
        notes=["hello"],
    )
    back = wire.unpack_report(wire.pack_control(health))
    assert isinstance(back, Health)
    assert back.histograms == health.histograms
    assert back.memo == {"pcm": [0, 1, 2], "n": 4, "deep": {"list": [1, "a", None]}}
    for control in (Start(now_ns=4), Set(name="temperature", value=0.5), Stop()):
        assert wire.unpack_control(wire.pack_control(control)) == control


def test_control_mutations_decode_or_raise_a_wire_error() -> None:
    rng, refused = random.Random(9), 0
    good = wire.pack_control(Health(stage="sound", counters={"published": 3}, memo={"a": [1, 2]}, notes=["x"]))
    for _ in range(4_000):
        data = b"".join(mutate([b"", good], rng))
        try:
            wire.unpack_report(data)
        except WireError:
            refused += 1
        with pytest.raises(WireError):
            wire.unpack_control(data)
    assert 1_000 < refused < 4_000


def test_control_that_cannot_travel() -> None:
    with pytest.raises(WireError, match="malformed"):
        wire.pack_control(Health(stage="x", memo={"f": object()}))
    with pytest.raises(WireError, match="oversized"):
        wire.pack_control(Health(stage="x", memo={"f": "y" * (1 << 20)}))
    with pytest.raises(WireError, match="oversized"):
        wire.unpack_report(b"\0" * ((1 << 20) + 1))


def float_layouts() -> list[tuple[str, str, Layout]]:
    found = []
    for topic in TOPICS.values():
        for name, layouts in topic.layouts.items():
            options = layouts if isinstance(layouts, tuple) else (layouts,)
            found += [(topic.name, name, one) for one in options if one.dtype.startswith("float")]
    return found


@pytest.mark.parametrize(("topic", "name", "layout"), float_layouts())
def test_every_array_of_floats_has_a_range_that_is_checked_at_reception(topic: str, name: str, layout: Layout) -> None:
    assert layout.low is not None
    assert layout.high is not None
    for value in (3e38, -3e38, layout.high * 1.01 + 1, layout.low * 1.01 - 1, np.nan, np.inf):
        array = np.zeros([side or 3 for side in layout.shape], np.float32)
        array.flat[-1] = value
        message = samples()[topic]
        setattr(message, name, array)
        assert reason(flat(wire.pack(message, TOPICS[topic])), topic) == "range"


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_number_of_a_message_has_a_range_that_is_checked_at_reception(topic: str) -> None:
    limits = {**COMMON_LIMITS, **TOPICS[topic].limits}
    numbers = [
        field.name
        for field in msgspec.structs.fields(TOPICS[topic].message)
        if field.type in (int, float, float | None)
    ]
    assert set(numbers) == set(limits)
    for name in numbers:
        for value in (limits[name][0] - 1, limits[name][1] * 2 + 1):
            message = samples()[topic]
            setattr(message, name, value)
            assert reason(flat(wire.pack(message, TOPICS[topic])), topic) == "range"


def test_stamps_are_bounded() -> None:
    for stamps in ({"camera": -1}, {"camera": 1 << 63}, {f"stage{n}": n for n in range(100)}):
        message = samples()["sound"]
        message.stamps = stamps
        assert reason(flat(wire.pack(message, TOPICS["sound"])), "sound") == "range"
