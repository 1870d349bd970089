"""The processes of a show, as a table: module, topics, restart policy, and what each means to the show.

Supervisor, report, console and show know no stage by its name: what they must know of it is a column here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from streaming.conventions import TICK_NS
from streaming.schema.device_kinds import CAMERA
from streaming.schema.load_levels import LoadLevel

TICK_MS = TICK_NS // 1_000_000
FORWARD = ("video-to-music", "both")
REVERSE = ("music-to-video", "both")
ANY = ("video-to-music", "music-to-video", "both")
TAIL_MS = 400
"""After the last frame or sound of a file, until what it leads to has been played or shown."""

DESK_PRIORITY = 8
"""The real-time priority of all that a desk's change passes: OSC or MIDI, then the supervisor. They take little time,
and wait for nothing but the tokens and the sound: a change is heard within two ticks."""


class Count(StrEnum):
    """What a stage counts for the report."""

    TICKS = "ticks"
    """Counters `ticks.expected`, `ticks.played`, `ticks.concealed`, `underruns`; gauge `samples_played`."""
    PICTURES = "pictures"
    """Counters `pictures_shown`, `pictures_missed`."""


class Rate(StrEnum):
    """Where the report gives a stage's rate of publishing."""

    FPS = "fps"
    TOKENS = "tokens"


@dataclass(frozen=True)
class EndOfShow:
    """What it means to the show that a stage has finished.

    Attributes:
        after_ms: how much later the show ends.
        with_duration: False where it means nothing to a show that has a duration.
        directions: the directions of a show that it ends.
    """

    after_ms: int = 0
    with_duration: bool = True
    directions: tuple[str, ...] = ANY


@dataclass(frozen=True)
class Process:
    """One row of the table.

    Attributes:
        name: the stage's name; the topic it publishes, if any, has the same name.
        module: dotted module that has a `build() -> Stage`.
        inputs: topics it reads.
        wakes_on: those of its inputs whose arrival makes it step (the others are read when it steps).
        awaits: those of its inputs of which it must have had one before it is ready; states only (see `Policy.STATE`).
        output: the topic it publishes, or None.
        directions: the directions of a show it belongs to.
        warm_spare: whether the spare process, which has everything imported, takes its place when it dies.
        restarts: how many times it is restarted within `restart_window_s`; once more, and it is lost.
        essential_to: the directions of a show that ends when it is lost; any other show goes on without it and says so.
        senses: whether it only watches or listens: once the performance has begun, also a show that it is essential to
            goes on without it, as if nobody played.
        reads: settings and controls that may name a user's file, which native code decodes in it; named where that
            crashes.
        nice: the scheduling niceness to ask for, -20..19.
        realtime: the real-time priority (SCHED_FIFO, 1..99) to ask for, 0 for none. A stage whose work must be done
            before a tick is played has a higher one than one that may wait. 1 is the picture stage's painter thread and
            the recorder.
        silence_ms: how long it may give no sign of life; one that is silent for longer hangs, and is replaced. A stage
            must give ten a second; the limit is longer where a step may take long.
        plainer: settings (name, value) with which it is started after it has died several times.
        setup_timeout_s: how long its setup may take, in seconds.
        room_inputs: those of its inputs that are connected only where the camera may see the show's own screen.
        needs: the setting without which it is left out of a show, "" for none.
        ends_show: how its end ends the show, None where it does not.
        clock_of: the directions of a show whose duration it counts; named when nothing has ended such a show in time.
        device: the setting that names the device or file it opens, and the word for it; "" where it opens none. What
            it opened is `info["device"]`.
        source_of: the direction whose source that device is, "" for none.
        output_of: the direction whose output that device is, "" for none.
        latency: the histogram of the direction's latency that it measures, also the report's key; "" for none.
        counts: what it counts for the report, None for nothing.
        rate: where the report gives its rate, None where only its own entry does.
        has_level: whether it sets the gauge `level_db` with its peak: a meter of the console, and called silent
            where it never rose above `audio.levels.SILENT_METER_DB`.
        leaves: the key in `info` of the file that it leaves behind, and the word for it; "" for none. Its counters are
            `frames` and `drops`.
        phase: the first word of its gauges `<word>_phase_ms` and `<word>_drift_ppm`, set where its device runs on its
            own clock (`info["stamps"]` names where its times come from, gauge `stamp_delay_ms`); "" for none.
        budget_ms: a step that takes longer has made its tick late, see `runtime/load`; 0 for a stage whose steps tell
            nothing of the load (it waits for a device, or has no tick to be in time for).
        late_counters: its counters of ticks that were late.
        gives_up: the levels of load at which it gives something up; where one is `PICTURE_RATE`, its counter `given_up`
            is of the pictures that it left out.
        uses_bundle: whether it opens networks of the bundle, and gets a successor when the bundle changes.
        hears_controls: whether it is told every change of a live control, not only of those that it obeys.
    """

    name: str
    module: str
    inputs: tuple[str, ...] = ()
    wakes_on: tuple[str, ...] = ()
    output: str | None = None
    directions: tuple[str, ...] = FORWARD
    warm_spare: bool = True
    restarts: int = 5
    restart_window_s: float = 60.0
    essential_to: tuple[str, ...] = FORWARD
    senses: bool = False
    reads: tuple[str, ...] = ()
    nice: int = 0
    realtime: int = 0
    silence_ms: int = 400
    plainer: tuple[tuple[str, str], ...] = ()
    setup_timeout_s: float = 60.0
    room_inputs: tuple[str, ...] = ()
    needs: str = ""
    ends_show: EndOfShow | None = None
    clock_of: tuple[str, ...] = ()
    device: str = ""
    source_of: str = ""
    output_of: str = ""
    latency: str = ""
    counts: Count | None = None
    rate: Rate | None = None
    has_level: bool = False
    leaves: str = ""
    phase: str = ""
    awaits: tuple[str, ...] = ()
    hears_controls: bool = False
    budget_ms: int = 0
    late_counters: tuple[str, ...] = ()
    gives_up: tuple[LoadLevel, ...] = ()
    uses_bundle: bool = False


PROCESSES: dict[str, Process] = {
    process.name: process
    for process in (
        Process(
            "camera",
            "streaming.stages.camera",
            ("tokens",),
            (),
            "camera",
            senses=True,
            reads=("camera",),
            nice=-10,
            realtime=7,
            ends_show=EndOfShow(TAIL_MS, with_duration=False),
            device="camera",
            source_of="video-to-music",
            rate=Rate.FPS,
            phase="camera",
        ),
        Process(
            "motion",
            "streaming.stages.motion",
            ("camera", "picture"),
            ("camera",),
            "motion",
            senses=True,
            realtime=6,
            uses_bundle=True,
            plainer=(("eyes", "bundle"),),
            room_inputs=("picture",),
            rate=Rate.FPS,
            budget_ms=TICK_MS,
            gives_up=(LoadLevel.EYES_RATE, LoadLevel.HANDS),
        ),
        Process(
            "tokens",
            "streaming.stages.tokens",
            ("motion", "speaker"),
            ("speaker",),
            "tokens",
            realtime=10,
            uses_bundle=True,
            rate=Rate.TOKENS,
            budget_ms=TICK_MS,
            late_counters=("skipped",),
            gives_up=(LoadLevel.PLAYER_KIND,),
        ),
        Process(
            "sound",
            "streaming.stages.sound",
            ("tokens",),
            ("tokens",),
            "sound",
            realtime=15,
            uses_bundle=True,
            budget_ms=TICK_MS,
        ),
        Process(
            "speaker",
            "streaming.stages.speaker",
            ("sound",),
            ("sound",),
            "speaker",
            nice=-10,
            realtime=20,
            ends_show=EndOfShow(),
            clock_of=FORWARD,
            device="speaker",
            output_of="video-to-music",
            latency="motion_to_sound_ms",
            counts=Count.TICKS,
            has_level=True,
            late_counters=("ticks.concealed", "late"),
        ),
        Process(
            "microphone",
            "streaming.stages.microphone",
            ("sound", "speaker"),
            ("sound",),
            "microphone",
            REVERSE,
            essential_to=("music-to-video",),
            senses=True,
            reads=("microphone",),
            realtime=5,
            ends_show=EndOfShow(TAIL_MS, directions=("music-to-video",)),
            clock_of=("music-to-video",),
            device="microphone",
            source_of="music-to-video",
            has_level=True,
        ),
        Process(
            "hearing",
            "streaming.stages.hearing",
            ("microphone",),
            ("microphone",),
            "hearing",
            REVERSE,
            essential_to=("music-to-video",),
            senses=True,
            realtime=4,
            budget_ms=TICK_MS,
            uses_bundle=True,
        ),
        Process(
            "scene",
            "streaming.stages.scene",
            (),
            (),
            "scene",
            REVERSE,
            essential_to=(),
            reads=("prior",),
            silence_ms=3_000,
            plainer=(("eyes", "bundle"),),
        ),
        Process(
            "flow",
            "streaming.stages.flow",
            ("hearing", "scene"),
            ("hearing", "scene"),
            "flow",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=3,
            uses_bundle=True,
            awaits=("scene",),
            budget_ms=TICK_MS,
        ),
        Process(
            "picture",
            "streaming.stages.picture",
            ("flow", "scene"),
            ("flow", "scene"),
            "picture",
            REVERSE,
            essential_to=("music-to-video",),
            nice=-5,
            realtime=2,
            uses_bundle=True,
            rate=Rate.FPS,
            awaits=("scene",),
            budget_ms=TICK_MS,
            gives_up=(LoadLevel.PICTURE_QUALITY, LoadLevel.PICTURE_RATE),
        ),
        Process(
            "screen",
            "streaming.stages.screen",
            ("scene", "picture", "microphone"),
            ("scene", "picture", "microphone"),
            "screen",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=2,
            ends_show=EndOfShow(),
            device="screen",
            output_of="music-to-video",
            latency="sound_to_picture_ms",
            counts=Count.PICTURES,
            rate=Rate.FPS,
            awaits=("scene",),
        ),
        Process(
            "osc",
            "streaming.remote.osc_stage",
            ("sound", "speaker", "microphone"),
            ("sound", "microphone"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            realtime=DESK_PRIORITY,
            needs="osc",
            hears_controls=True,
        ),
        Process(
            "console",
            "streaming.remote.console.console_stage",
            ("camera", "motion", "sound", "speaker", "microphone", "picture", "screen"),
            ("camera", "motion", "sound", "microphone", "picture", "screen"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            silence_ms=10_000,
            needs="console",
            hears_controls=True,
        ),
        Process(
            "browser",
            "streaming.remote.browser.browser_stage",
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            silence_ms=10_000,
            needs="browser_devices",
        ),
        Process(
            "midi",
            "streaming.remote.midi_stage",
            ("sound", "speaker", "microphone"),
            ("sound", "microphone"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            realtime=DESK_PRIORITY,
            needs="midi",
            hears_controls=True,
        ),
        Process(
            "attract",
            "streaming.remote.installation.attract_stage",
            ("motion", "microphone"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            nice=5,
            needs="installation",
            hears_controls=True,
        ),
        Process(
            "link",
            "streaming.remote.show_control.tempo.link_stage",
            ("speaker",),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            needs="link",
            hears_controls=True,
        ),
        Process(
            "timecode",
            "streaming.remote.show_control.timecode.timecode_stage",
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            needs="ltc",
            hears_controls=True,
        ),
        Process(
            "lights",
            "streaming.remote.show_control.lights.lights_stage",
            ("sound", "speaker", "microphone", "picture"),
            ("sound", "microphone"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            needs="lights",
            hears_controls=True,
        ),
        Process(
            "recorder",
            "streaming.stages.recorder",
            ("camera", "motion", "tokens", "sound", "speaker", "microphone", "flow", "picture"),
            ("camera", "motion", "tokens", "sound", "speaker", "microphone", "flow", "picture"),
            directions=ANY,
            essential_to=(),
            warm_spare=False,
            # Behind all that a tick needs and beside the painter, which else leaves it no time on two busy cores.
            realtime=1,
            silence_ms=3_000,
            needs="record",
            leaves="film",
        ),
    )
}


def processes_of(direction: str) -> list[Process]:
    """The rows that take part in a show of this direction."""
    return [process for process in PROCESSES.values() if direction in process.directions]


def rows_of_replay() -> list[Process]:
    """The rows of a show that plays a take again: nothing is watched, and what translated now reads the take."""
    reader = replace(
        PROCESSES["tokens"],
        module="streaming.replay.replay_stage",
        inputs=("speaker",),
        wakes_on=("speaker",),
        reads=("take",),
        ends_show=EndOfShow(TAIL_MS, with_duration=False),
    )
    rows = [row for row in processes_of("video-to-music") if row.name not in ("camera", "motion")]
    return [reader if row.name == "tokens" else row for row in rows]


def inputs_of(process: Process, direction: str, camera: str = "auto") -> tuple[str, ...]:
    """The topics that a row reads in a show of this direction and camera: those that somebody publishes in it.

    A rendered performer and a film do not see the show's screen: with them, nobody looks for it.
    """
    published = {row.output for row in processes_of(direction)}
    if not may_see_screen(camera):
        published.difference_update(process.room_inputs)
    return tuple(topic for topic in process.inputs if topic in published)


def may_see_screen(camera: str) -> bool:
    """Whether a camera, as named on the command line, may have the show's own screen in sight."""
    return CAMERA.find(camera)[0].may_see_screen
