"""The processes of a show, as a table: name, dotted module, topics in and out, restart policy."""

from __future__ import annotations

from dataclasses import dataclass

from streaming.schema.device_kinds import CAMERA

FORWARD = ("video-to-music", "both")
REVERSE = ("music-to-video", "both")


@dataclass(frozen=True)
class Process:
    """One row of the table.

    Attributes:
        name: the stage's name; the topic it publishes, if any, has the same name.
        module: dotted module that has a `build() -> Stage`.
        inputs: topics it reads.
        wakes_on: those of its inputs whose arrival makes it step (the others are read when it steps).
        output: the topic it publishes, or None.
        directions: the directions of a show it belongs to.
        warm_spare: a spare process with everything imported stands ready to become it when it dies.
        restarts: how many times it is restarted within `restart_window_s` before the show says it is lost.
        essential_to: the directions of a show that ends when it is lost; another goes on degraded and says so.
        nice: scheduling niceness asked for.
        realtime: real-time priority (SCHED_FIFO) asked for where the system has it and permits it; 0 for none. What
            must be done before a tick is played goes before what may wait: drawing, filming, watching. 1 is what
            paints, in a thread of the picture's.
        setup_timeout_s: how long its setup may take.
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
    nice: int = 0
    realtime: int = 0
    setup_timeout_s: float = 60.0


PROCESSES: dict[str, Process] = {
    process.name: process
    for process in (
        Process("camera", "streaming.stages.camera", ("tokens",), (), "camera", nice=-10, realtime=7),
        Process("motion", "streaming.stages.motion", ("camera", "picture"), ("camera",), "motion", realtime=6),
        Process("tokens", "streaming.stages.tokens", ("motion", "speaker"), ("speaker",), "tokens", realtime=10),
        Process("sound", "streaming.stages.sound", ("tokens",), ("tokens",), "sound", realtime=15),
        Process("speaker", "streaming.stages.speaker", ("sound",), ("sound",), "speaker", nice=-10, realtime=20),
        Process(
            "microphone",
            "streaming.stages.microphone",
            ("sound", "speaker"),
            ("sound",),
            "microphone",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=5,
        ),
        Process(
            "hearing",
            "streaming.stages.hearing",
            ("microphone",),
            ("microphone",),
            "hearing",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=4,
        ),
        Process(
            "flow",
            "streaming.stages.flow",
            ("hearing",),
            ("hearing",),
            "flow",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=3,
        ),
        Process(
            "picture",
            "streaming.stages.picture",
            ("flow",),
            ("flow",),
            "picture",
            REVERSE,
            essential_to=("music-to-video",),
            nice=-5,
            realtime=2,
        ),
        Process(
            "screen",
            "streaming.stages.screen",
            ("picture", "microphone"),
            ("picture", "microphone"),
            "screen",
            REVERSE,
            essential_to=("music-to-video",),
            realtime=2,
        ),
        Process(
            "recorder",
            "streaming.stages.recorder",
            ("camera", "motion", "sound", "speaker", "microphone", "flow", "picture"),
            ("camera", "motion", "sound", "speaker", "microphone", "flow", "picture"),
            directions=("video-to-music", "music-to-video", "both"),
            essential_to=(),
            warm_spare=False,
            nice=10,
        ),
    )
}


def processes_of(direction: str) -> list[Process]:
    """The rows that take part in a show of this direction."""
    return [process for process in PROCESSES.values() if direction in process.directions]


def inputs_of(process: Process, direction: str, camera: str = "auto") -> tuple[str, ...]:
    """The topics that a row reads in a show of this direction and camera: those that somebody publishes in it.

    A rendered performer and a film do not see the screen: for them nobody looks for it.
    """
    published = {row.output for row in processes_of(direction)}
    if process.name == "motion" and not sees_the_room(camera):
        published.discard("picture")
    return tuple(topic for topic in process.inputs if topic in published)


def sees_the_room(camera: str) -> bool:
    """Whether a camera, as named on the command line, may see what the show's screen shows."""
    return CAMERA.find(camera)[0].sees_the_room
