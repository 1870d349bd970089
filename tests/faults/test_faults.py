"""Faults injected into whole shows, several in each, one after another. `make test-faults` runs them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.harness import Act, Fault, perform_act
from tests.faults.rig.injections import (
    crash,
    kill,
    kill_again,
    kill_for_ever,
    kill_reaper,
    kill_spare,
    remove,
    remove_sockets,
    stop,
    stop_briefly,
    take_descriptors,
    take_descriptors_for_ever,
)
from tests.faults.rig.places import both, filmed, with_files, without_music
from tests.live.place import ShowFolder

pytestmark = pytest.mark.faults
SOUND_STAGES = ("camera", "motion", "tokens", "sound", "speaker", "recorder")
READERS = ("camera", "microphone", "scene")
"""The stages that decode a user's files."""
PICTURE_STAGES = ("microphone", "hearing", "scene", "flow", "picture", "screen")


def killed(*stages: str, seconds: float = 2.0) -> Fault:
    return Fault(f"{', '.join(stages)} killed", kill(*stages), stages, seconds)


def stopped(*stages: str, seconds: float = 3.0) -> Fault:
    return Fault(f"{', '.join(stages)} stopped for ever", stop(*stages), stages, seconds, hangs=True)


def lost(stage: str, **row: Any) -> Fault:
    return Fault(f"{stage} killed for ever", kill_for_ever(stage), (stage,), 10.0, times=0, **row)


def harmless(fault: Fault) -> Fault:
    """A fault of a part that makes no sound: the sound may not have a gap of it."""
    return replace(fault, silence_s=0.2)


ACTS = [
    Act("each stage of the music", tuple(killed(stage) for stage in SOUND_STAGES)),
    Act("each stage of the pictures", tuple(harmless(killed(stage)) for stage in PICTURE_STAGES), "both", both),
    Act("each stage without music", tuple(killed(stage) for stage in PICTURE_STAGES), "music-to-video", without_music),
    Act(
        "several at once, and again",
        (
            killed("motion", "tokens", "sound"),
            Fault("sound killed four times", kill_again("sound", 4, 1.2), ("sound",), 7.0, times=4, silence_s=6.0),
        ),
    ),
    Act(
        "several at once without music",
        (
            killed("hearing", "flow", "picture"),
            killed("scene", "screen"),
            Fault("picture killed four times", kill_again("picture", 4, 1.2), ("picture",), 7.0, times=4),
        ),
        "music-to-video",
        without_music,
    ),
    Act(
        "stops",
        (
            stopped("sound"),
            stopped("motion"),
            stopped("speaker"),
            stopped("tokens", "camera"),
            Fault("tokens stopped for 200 ms", stop_briefly(0.2, "tokens"), seconds=1.5, silence_s=0.6),
        ),
        notes=("sign of life",),
    ),
    Act(
        "stops without music",
        (
            *(stopped(stage) for stage in ("microphone", "hearing", "flow")),
            stopped("picture", "screen"),
            Fault("picture stopped for 200 ms", stop_briefly(0.2, "picture"), seconds=1.5, missed_s=0.6),
        ),
        "music-to-video",
        without_music,
    ),
    Act(
        "parts of the pictures lost for ever",
        tuple(lost(stage, silence_s=0.2, missed_s=20.0) for stage in ("flow", "hearing")),
        "both",
        both,
        notes=("goes on without it",),
        degraded=("flow", "hearing"),
        may_restart=("picture", "screen"),
    ),
    Act(
        "parts of the music lost for ever, pictures go on",
        tuple(lost(stage, silence_s=20.0, concealed_s=25.0, missed_s=20.0) for stage in ("camera", "motion", "tokens")),
        "both",
        both,
        notes=("goes on without it",),
        degraded=("camera", "motion", "tokens"),
        own_gaps=True,
    ),
    Act(
        "the camera lost for ever, then the sound",
        (lost("camera", silence_s=20.0), lost("sound", silence_s=20.0, concealed_s=20.0)),
        status=1,
        notes=("camera: was killed by SIGKILL; it is given up, the performance goes on without it",),
        degraded=("camera", "sound"),
        own_gaps=True,
    ),
    *(
        Act(
            f"folders removed ({direction})",
            (
                Fault("record folder removed", remove("films", stage), (stage,), 3.0),
                Fault("sockets removed", remove_sockets(stage), (stage,), 3.0, concealed_s=1.0, missed_s=1.0),
                Fault("run folder removed", remove("run", stage), (stage,), 4.0, concealed_s=1.5, missed_s=1.5),
            ),
            direction,
            argv,
            notes=("the run folder was removed; it is made again",),
            may_restart=("recorder",),
        )
        for direction, stage, argv in (
            ("video-to-music", "sound", filmed),
            ("music-to-video", "picture", without_music),
        )
    ),
    Act(
        "helpers and descriptors",
        (
            Fault("reaper killed", kill_reaper, seconds=3.0, silence_s=0.2),
            Fault("warm spare killed, then a stage", kill_spare("sound"), ("sound",), 8.0, silence_s=6.0),
            Fault("no descriptors for a second", take_descriptors("sound"), ("sound",), 5.0, silence_s=4.0),
            Fault("no descriptors to the end", take_descriptors_for_ever, seconds=2.0, silence_s=0.2),
        ),
    ),
    Act(
        "native code crashes on a user's files",
        (Fault(f"{', '.join(READERS)} crash", crash(*READERS), READERS, 4.0),),
        "both",
        with_files,
        camera="",
        own_gaps=True,
        notes=tuple(f"{stage}: native code crashed (SIGSEGV) while it read " for stage in READERS),
    ),
]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name.replace(" ", "-"))
def test_the_show_outlives(act: Act, place: ShowFolder) -> None:
    perform_act(act, place)
