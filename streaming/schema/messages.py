"""The one schema file: every message on the wire and the table of topics; readers ignore fields they do not know.

A message is a msgpack header and raw array buffers (see `streaming/transport/wire.py`). `seq`, `capture_ns` and
`stamps` are in every message: `seq` counts a publisher's messages of one topic; `capture_ns` is the monotonic time of
the original sensor sample and is carried to the end; `stamps` maps each stage's name to the monotonic time at which it
published.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from streaming import conventions
from streaming.schema.topics import MAX_NS, MAX_SIDE, MAX_TICK, Layout, Policy, Topic

SCHEMA_VERSION = 1
NO_INSTRUMENT = "none"
"""The kind of instrument where none is named."""


class Message(msgspec.Struct, kw_only=True):
    """What every message carries."""

    seq: int = 0
    capture_ns: int = 0
    stamps: dict[str, int] = msgspec.field(default_factory=dict)


class Camera(Message, kw_only=True):
    """A video frame. `image`: uint8 [H, W, 3], BGR. `index`: frame number in the source, with gaps where it skipped."""

    image: np.ndarray
    index: int = 0
    rate_hz: float = 0.0


class Motion(Message, kw_only=True):
    """How the picture moves and what is in it.

    flow: float32 [2, 16, 16], mean velocity (x right, y down) of each grid cell in frame sides per second, where the
    frame was fitted into a square; speed: float32 [16, 16], mean absolute velocity of each cell in the same unit;
    embedding: float32 [128]; interval_ms: time between the two frames. features: float32 [26], what tells when
    something is struck, see `streaming.vision.motion.feature_names.NAMES`.

    The person in view, as the published eyes find it: zeros where nobody is found; body and hands are null where the
    eyes do not play. body: float32 [33, 3], x, y, visibility 0..1; hands: float32 [2, 21, 3], the player's left and
    right: x, y, presence 0..1; x right, y down, in sides of the square into which the frame is fitted, 0..1 from its
    upper left, beyond it outside the frame. body_score: 0..1. scale: how many sides a metre spans at the player's
    distance, 0 for unknown. hands_motion: float32 [2, 8], how each hand moves, zeros for a hand that is not known, see
    `streaming.vision.motion.hand_motion.HAND_NAMES`.

    `still_s`: for how many seconds nothing has moved before the camera, null where nobody knows.

    instrument_odds: float32 [4], 0..1, how likely an instrument of each of `streaming.conventions.INSTRUMENT_KINDS` is
    in view, a mean over 3 s, null where nobody looks for one. `instrument`: the kind that is named by them, else
    "none".
    """

    flow: np.ndarray
    speed: np.ndarray
    embedding: np.ndarray
    interval_ms: float = 0.0
    features: np.ndarray = msgspec.field(default_factory=lambda: np.zeros(conventions.MOTION_FEATURES, np.float32))
    body: np.ndarray | None = None
    body_score: float = 0.0
    hands: np.ndarray | None = None
    scale: float = 0.0
    hands_motion: np.ndarray = msgspec.field(
        default_factory=lambda: np.zeros((2, conventions.HAND_FEATURES), np.float32)
    )
    still_s: float | None = None
    instrument_odds: np.ndarray | None = None
    instrument: str = NO_INSTRUMENT


class Tokens(Message, kw_only=True):
    """The sound of one tick in the bundle's representation, before it is sound.

    `frames`: codes int16 [4, 2] in 0..2047, or log-mel float32 [D, 2]. `fresh`: this is the first tick that its motion
    influenced.

    `latch_ns`: when the newest motion was read for this tick; a camera that the show paces itself keeps step with it.

    `gain`: 0..1, what the sound is multiplied with at the tick's end, as the player moves or stands still.

    `level_db`: how much louder this voice is made for this player, in dB; see `streaming.audio.voice_levels`.

    `dac_ns`: when the tick's first sample leaves the speaker, 0 for unknown.
    """

    tick: int
    frames: np.ndarray
    fresh: bool = False
    latch_ns: int = 0
    gain: float = 1.0
    level_db: float = 0.0
    dac_ns: int = 0


class Sound(Message, kw_only=True):
    """The sound of one tick: float32 [1280], -1..1, 32 kHz mono.

    side: float32 [1280], half the difference of a stereo sound's two sides: left is pcm + side, right is pcm - side;
    null where both are pcm. `limited_db`: by how much the limiter lowered it at most, in dB.
    `fader`: by what volume and mute multiply it at its end.
    """

    tick: int
    pcm: np.ndarray
    side: np.ndarray | None = None
    fresh: bool = False
    limited_db: float = 0.0
    fader: float = 1.0


class Speaker(Message, kw_only=True):
    """The device clock: sample 0 of `tick` leaves the device at `dac_ns` (monotonic; may lie in the future).

    `rate_hz`: measured codec-rate samples per second (32000 nominal). `slack_ms`: smallest time by which a tick's
    sound came before it was needed since the last message, null when none came. `played`, `concealed`: ticks so far.
    """

    tick: int
    dac_ns: int
    rate_hz: float = float(conventions.SAMPLE_RATE)
    slack_ms: float | None = None
    played: int = 0
    concealed: int = 0
    level_db: float = -120.0


class Microphone(Message, kw_only=True):
    """What was heard in one tick: float32 [1280], -1..1, 32 kHz mono.

    `tick`: counted from the start of the performance; with the speaker's sound as the microphone, the speaker's ticks.
    `capture_ns`: when its first sample arrived, or leaves the speaker.
    """

    tick: int
    pcm: np.ndarray
    level_db: float = -120.0


class Hearing(Message, kw_only=True):
    """What a tick of sound is in the coordinated latent space: float32 [D]. `level_db`: how loud it was.

    bands: float32 [2, 8], its levels and its attacks in each band, see `streaming.audio.sound_bands`.
    """

    tick: int
    latent: np.ndarray
    level_db: float = -120.0
    bands: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((2, conventions.SOUND_BANDS), np.float32))


class Scene(Message, kw_only=True):
    """What is made of a prior image once, when it is loaded; sent again to every reader that connects.

    identity: hash of the content; scenes of the same identity show the same image. name: the image file's name, for a
    person. image: uint8 [H, W, 3], BGR, the prior fitted into the screen, whose size stays for the whole show. still:
    uint8 [128, 128, 3], BGR, the prior fitted into a square, as the painter sees it.

    The others are the scene's layers and modes, see `streaming.scenes.layered_scene.PackedScene`. kinds: what each of L
    layers is. boxes: int32 [L, 4]. roots: float32 [L, 2]. covers: uint8 [N, 4], the pixels of all layers. mode_names,
    mode_table: float32 [M, 10], the M modes. fields: float32 [K, 2], the displacement fields of all modes.
    """

    identity: str
    image: np.ndarray
    still: np.ndarray
    name: str = ""
    kinds: list[str] = msgspec.field(default_factory=list)
    boxes: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((1, 4), np.int32))
    roots: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((1, 2), np.float32))
    covers: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((1, 4), np.uint8))
    mode_names: list[str] = msgspec.field(default_factory=list)
    mode_table: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((1, 10), np.float32))
    fields: np.ndarray = msgspec.field(default_factory=lambda: np.zeros((1, 2), np.float32))


class Flow(Message, kw_only=True):
    """How the prior image moves in one tick, and where that has led.

    flow: float32 [2, 16, 16], mean velocity (x right, y down) of what is seen in each grid cell, in longer sides of the
    picture per second, in the square in whose middle the picture lies. `level_db`: level of the sound that moves it.
    heard: float32 [D], that sound in the coordinated latent space; [1] where it is unknown.

    scenes: identities of the scenes that are moved, the present one first; the one before it stays as long as a new
    prior image fades in. mode_counts: how many modes each of `scenes` has. amplitudes: float32 [sum of mode_counts],
    where the springs of the modes are, for each of `scenes` in turn; [1] where there are none.
    """

    tick: int
    flow: np.ndarray
    level_db: float = -120.0
    heard: np.ndarray = msgspec.field(default_factory=lambda: np.zeros(1, np.float32))
    scenes: list[str] = msgspec.field(default_factory=lambda: [""])
    mode_counts: list[int] = msgspec.field(default_factory=lambda: [0])
    amplitudes: np.ndarray = msgspec.field(default_factory=lambda: np.zeros(1, np.float32))


class Picture(Message, kw_only=True):
    """What the reverse loop shows for one tick: uint8 [H, W, 3], BGR.

    `capture_ns`: when the sound that it belongs to arrived, or will be heard.
    """

    tick: int
    image: np.ndarray


class Screen(Message, kw_only=True):
    """That the picture of a tick was shown at `shown_ns` (monotonic); `shown`, `missed`: ticks so far."""

    tick: int
    shown_ns: int
    shown: int = 0
    missed: int = 0


_GRID = (conventions.FLOW_GRID, conventions.FLOW_GRID)
_VELOCITY, _FEATURE = conventions.MAX_VELOCITY, conventions.LARGEST_FEATURE
_PLACE = 100.0
"""Points lie at most so many sides of the view outside it."""
_LATENT = 1_000.0
"""Networks' vectors are of unit scale (largest seen: 4 for a latent, 20 for an embedding)."""
_LOUDEST = 8.0
"""Samples are -1..1; a device or a decoder may exceed that for a moment."""
_DECIBELS = (-1_000.0, 100.0)
_TICK, _TIME, _COUNT = (0, MAX_TICK), (0, MAX_NS), (0, MAX_TICK)
_RATE = (0.0, 1e6)
_PICTURE = {"image": Layout("uint8", (None, None, 3))}
_SOUND = {"pcm": Layout("float32", (conventions.TICK_SAMPLES,), -_LOUDEST, _LOUDEST)}
_SIDES = {**_SOUND, "side": _SOUND["pcm"]}
_SOUND_LIMITS = {"tick": _TICK, "limited_db": _DECIBELS, "fader": (0.0, _LOUDEST)}
_MOTION = {
    "flow": Layout("float32", (2, *_GRID), -_VELOCITY, _VELOCITY),
    "speed": Layout("float32", _GRID, 0.0, _VELOCITY),
    "embedding": Layout("float32", (conventions.EMBEDDING_DIM,), -_LATENT, _LATENT),
    "features": Layout("float32", (conventions.MOTION_FEATURES,), -_FEATURE, _FEATURE),
    "body": Layout("float32", (conventions.BODY_POINTS, 3), -_PLACE, _PLACE),
    "hands": Layout("float32", (2, conventions.HAND_POINTS, 3), -_PLACE, _PLACE),
    "hands_motion": Layout("float32", (2, conventions.HAND_FEATURES), -_PLACE, _PLACE),
    "instrument_odds": Layout("float32", (len(conventions.INSTRUMENT_KINDS),), 0.0, 1.0),
}
_MOTION_LIMITS = {
    "interval_ms": (-1e12, 1e12),
    "body_score": (0.0, 1.0),
    "scale": (0.0, 1e6),
    "still_s": (0.0, 1e9),
}
_TOKENS = {
    "frames": (
        Layout("int16", (conventions.NUM_CODEBOOKS, conventions.TOKEN_FRAMES_PER_TICK), 0, conventions.CARDINALITY - 1),
        Layout("float32", (None, conventions.TOKEN_FRAMES_PER_TICK), -_PLACE, _PLACE),
    )
}
_TOKENS_LIMITS = {"tick": _TICK, "latch_ns": _TIME, "gain": (0.0, 1.0), "level_db": _DECIBELS, "dac_ns": _TIME}
_SPEAKER_LIMITS = {
    "tick": (-1, MAX_TICK),
    "dac_ns": _TIME,
    "rate_hz": _RATE,
    "slack_ms": (-1e9, 1e9),
    "played": _COUNT,
    "concealed": _COUNT,
    "level_db": _DECIBELS,
}
_HEARING = {
    "latent": Layout("float32", (None,), -_LATENT, _LATENT),
    "bands": Layout("float32", (2, conventions.SOUND_BANDS), 0.0, _PLACE),
}
_SCENE = {
    "image": Layout("uint8", (None, None, 3)),
    "still": Layout("uint8", (conventions.STILL_SIDE, conventions.STILL_SIDE, 3)),
    "boxes": Layout("int32", (None, 4), -MAX_SIDE, MAX_SIDE),
    "roots": Layout("float32", (None, 2), -MAX_SIDE, MAX_SIDE),
    "covers": Layout("uint8", (None, 4)),
    "mode_table": Layout("float32", (None, 10), -MAX_SIDE, MAX_SIDE),
    "fields": Layout("float32", (None, 2), -MAX_SIDE, MAX_SIDE),
}
_FLOW = {
    "flow": Layout("float32", (2, *_GRID), -_VELOCITY, _VELOCITY),
    "heard": Layout("float32", (None,), -_LATENT, _LATENT),
    "amplitudes": Layout("float32", (None,), -_PLACE, _PLACE),
}
_HEARD_LIMITS = {"tick": _TICK, "level_db": _DECIBELS}

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "camera",
            Camera,
            25.0,
            Policy.LATEST,
            3_200_000,
            2,
            layouts=_PICTURE,
            limits={"index": _COUNT, "rate_hz": _RATE},
        ),
        Topic("motion", Motion, 25.0, Policy.LATEST, 16_384, 4, layouts=_MOTION, limits=_MOTION_LIMITS),
        Topic("tokens", Tokens, 25.0, Policy.ORDERED, 4_096, 64, layouts=_TOKENS, limits=_TOKENS_LIMITS),
        Topic(
            "sound",
            Sound,
            25.0,
            Policy.ORDERED,
            16_384,
            64,
            layouts=_SIDES,
            limits=_SOUND_LIMITS,
        ),
        Topic("speaker", Speaker, 25.0, Policy.LATEST, 4_096, 16, limits=_SPEAKER_LIMITS),
        Topic("microphone", Microphone, 25.0, Policy.ORDERED, 16_384, 64, layouts=_SOUND, limits=_HEARD_LIMITS),
        Topic("hearing", Hearing, 25.0, Policy.ORDERED, 4_096, 64, layouts=_HEARING, limits=_HEARD_LIMITS),
        Topic("scene", Scene, 0.0, Policy.STATE, 64_000_000, 4, layouts=_SCENE),
        Topic("flow", Flow, 25.0, Policy.LATEST, 16_384, 4, together=4, layouts=_FLOW, limits=_HEARD_LIMITS),
        Topic(
            "picture", Picture, 25.0, Policy.LATEST, 3_200_000, 4, together=4, layouts=_PICTURE, limits={"tick": _TICK}
        ),
        Topic(
            "screen",
            Screen,
            25.0,
            Policy.LATEST,
            4_096,
            16,
            limits={"tick": _TICK, "shown_ns": _TIME, "shown": _COUNT, "missed": _COUNT},
        ),
    )
}
"""Every topic by its name. A message is a type above and a row here."""


class Hello(msgspec.Struct, kw_only=True, tag="hello"):
    """A stage's first word to the supervisor."""

    stage: str
    pid: int


class Ready(msgspec.Struct, kw_only=True, tag="ready"):
    """Setup is done; `info` names what was opened (device, source, backend), for the console and the report."""

    stage: str
    info: dict[str, Any] = msgspec.field(default_factory=dict)


class Health(msgspec.Struct, kw_only=True, tag="health"):
    """A heartbeat with everything measured since the last one (deltas, so that a kill loses one heartbeat at most).

    counters: name -> increment; gauges: name -> newest value; histograms: name -> {bin: count} (see
    `streaming/telemetry/metrics.py`); memo: what the stage wants back when it is restarted; notes: lines for the user;
    info: as in `Ready`, where it has changed.
    """

    stage: str
    counters: dict[str, int] = msgspec.field(default_factory=dict)
    gauges: dict[str, float] = msgspec.field(default_factory=dict)
    histograms: dict[str, dict[int, int]] = msgspec.field(default_factory=dict)
    memo: dict[str, Any] = msgspec.field(default_factory=dict)
    notes: list[str] = msgspec.field(default_factory=list)
    info: dict[str, Any] = msgspec.field(default_factory=dict)


class Prepared(msgspec.Struct, kw_only=True, tag="prepared"):
    """The stage is set up beside the one that runs, and waits for `Enter`."""

    stage: str


class Alive(msgspec.Struct, kw_only=True, tag="alive"):
    """A sign of life between two heartbeats, given by the stage's loop between two steps.

    patience_ms: the next one may be this late, for a step that takes long on purpose.
    """

    stage: str
    patience_ms: int = 0


class Failed(msgspec.Struct, kw_only=True, tag="failed"):
    """The stage cannot go on; `exit_code` 2 is a user's error, 1 anything else; `line` says what, where and the fix.

    `renew`: its device has gone, not the stage: a new process takes its place, which is not a failure of the stage.
    """

    stage: str
    line: str
    exit_code: int = 1
    renew: bool = False


class Finished(msgspec.Struct, kw_only=True, tag="finished"):
    """The stage has nothing more to do (the file ended, the duration was played)."""

    stage: str
    reason: str = ""


class Confirmation(msgspec.Struct, kw_only=True, tag="confirmation"):
    """What became of a `Set` whose control is confirmed by the stage that obeys it (see `streaming/settings`).

    `name`, `value`: as in the `Set`. `refusal`: empty when the value is in use now; else exactly three lines: what is
    wrong, where, and how to fix it.
    """

    stage: str
    name: str
    value: Any = None
    refusal: list[str] = msgspec.field(default_factory=list)


class ControlRequest(msgspec.Struct, kw_only=True, tag="control_request"):
    """A request from outside the show: set the live control `name` to `value`; with an empty `name`, list them all.

    `stage`: identity of the requester. `value`: as text, as it would be written on the command line. `passing`: it is
    on the way to another value, as a slider that is moved, so that no line for the user is made of it.
    """

    stage: str
    name: str = ""
    value: str = ""
    passing: bool = False


class StatusRequest(msgspec.Struct, kw_only=True, tag="status_request"):
    """A question from outside the show: how is it? `stage`: identity of the requester.

    `notes`: how many of the show's lines for the user the requester has had.
    """

    stage: str
    notes: int = 0


Report = Hello | Prepared | Ready | Health | Alive | Failed | Finished | Confirmation | ControlRequest | StatusRequest
"""What a stage says to the supervisor (over the control link, never dropped)."""


class Start(msgspec.Struct, kw_only=True, tag="start"):
    """Every stage is ready: the performance begins. Sent again to a restarted stage."""

    now_ns: int = 0


class Set(msgspec.Struct, kw_only=True, tag="set"):
    """A live control has a new value. `name`: a row of `streaming/settings/controls.py`; `value`: already checked."""

    name: str
    value: Any = None


class Load(msgspec.Struct, kw_only=True, tag="load"):
    """How much the show gives up from now on, see `LoadLevel`. Sent again to a restarted stage."""

    level: int = 0


class Enter(msgspec.Struct, kw_only=True, tag="enter"):
    """To a stage that was prepared beside the one that ran: it has ended, take its place."""


class Stop(msgspec.Struct, kw_only=True, tag="stop"):
    """Close politely."""


class ControlReply(msgspec.Struct, kw_only=True, tag="control_reply"):
    """The supervisor's reply to a `ControlRequest`.

    `lines`: text for a person; for a `refused` request exactly three: what is wrong, where, and how to fix it.
    """

    lines: list[str] = msgspec.field(default_factory=list)
    refused: bool = False


class StatusReply(msgspec.Struct, kw_only=True, tag="status_reply"):
    """The supervisor's reply to a `StatusRequest`. `status`: see `streaming.telemetry.status`."""

    status: dict[str, Any] = msgspec.field(default_factory=dict)


Control = Start | Set | Load | Stop | Enter | ControlReply | StatusReply
"""What the supervisor says to a stage (over the control link, never dropped)."""
