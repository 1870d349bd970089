"""The processes of a show, as a table: name, dotted module, topics in and out, restart policy."""

from __future__ import annotations

from dataclasses import dataclass


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
        understudied: a spare process with everything imported stands ready to become it when it dies.
        restarts: how many times it is restarted within `restart_window_s` before the show says it is lost.
        essential: the show ends when it is lost; otherwise it goes on degraded and says so.
        nice: scheduling niceness asked for.
        realtime: real-time priority (SCHED_FIFO) asked for where the system has it and permits it; 0 for none. What
            must be done before a tick is played goes before what may wait: drawing, filming, watching.
        setup_timeout_s: how long its setup may take.
    """

    name: str
    module: str
    inputs: tuple[str, ...] = ()
    wakes_on: tuple[str, ...] = ()
    output: str | None = None
    directions: tuple[str, ...] = ("video-to-music", "both")
    understudied: bool = True
    restarts: int = 5
    restart_window_s: float = 60.0
    essential: bool = True
    nice: int = 0
    realtime: int = 0
    setup_timeout_s: float = 60.0


PROCESSES: dict[str, Process] = {
    process.name: process
    for process in (
        Process("camera", "streaming.stages.camera", ("tokens",), (), "camera"),
        Process("motion", "streaming.stages.motion", ("camera",), ("camera",), "motion", realtime=5),
        Process("tokens", "streaming.stages.tokens", ("motion", "speaker"), ("speaker",), "tokens", realtime=10),
        Process("sound", "streaming.stages.sound", ("tokens",), ("tokens",), "sound", realtime=15),
        Process("speaker", "streaming.stages.speaker", ("sound",), ("sound",), "speaker", nice=-10, realtime=20),
        Process(
            "recorder",
            "streaming.stages.recorder",
            ("camera", "motion", "sound", "speaker"),
            ("camera", "motion", "sound", "speaker"),
            essential=False,
            understudied=False,
            nice=10,
        ),
    )
}


def processes_of(direction: str) -> list[Process]:
    """The rows that take part in a show of this direction."""
    return [process for process in PROCESSES.values() if direction in process.directions]
