"""Shows that go on without a stage: which ones do, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streaming.schema.messages import (
    Finished,
    Health,
    Load,
)
from streaming.schema.processes import FORWARD, Process
from streaming.telemetry.metrics import bin_of
from streaming.telemetry.report import Ending
from tests.unit.streaming.runtime.supervision.virtual_show import (
    S,
    World,
    plain_row,
    supervisor,
    table,
)


def test_the_show_goes_on_without_a_stage_that_is_not_essential(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=0, essential_to=()), duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].state == "lost"
    assert "goes on without it" in " ".join(show.record.notes)


def test_who_awaits_the_state_of_a_stage_that_was_given_up_is_given_up_too(tmp_path: Path) -> None:
    """Without the scene there are no pictures, and the music begins all the same."""
    world = World()
    picture = replace(plain_row("picture"), essential_to=())
    scene = replace(plain_row("scene"), essential_to=())
    show = supervisor(world, tmp_path, [*table(), scene, picture], duration_s=20.0)
    for at in (0.1, 0.2, 0.3):
        world.at(at, lambda: world.of("scene").kill())
    world.at(25.0, lambda: world.of("speaker").say(Finished(stage="speaker")))
    world.deaf.add("picture")
    assert show.run().code == 0
    assert show.record.start_ns is not None
    assert show.record.start_ns < 103 * S
    assert [show.record.stages[name].state for name in ("scene", "picture")] == ["lost", "lost"]
    assert "needs what the scene stage publishes" in " ".join(show.record.notes)


def test_in_an_installation_an_essential_stage_is_tried_for_ever_and_ever_less_often(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2), duration_s=400.0, installation=True)
    for step in range(1_000):
        # Whatever is started within 300 s dies within a second.
        world.at(5.0 + 0.3 * step, lambda: world.of("sound").kill())
    world.at(400.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run() == Ending(0)
    sound = [child for child in world.children if child.stage == "sound"]
    # Three restarts, waits of 1, 2, 4 ... 60 s, and the last one lives.
    assert 8 <= len(sound) <= 16
    assert show.record.stages["sound"].state == "closed"
    assert "sound: was killed by SIGKILL; it is given up for 1 s" in " ".join(show.record.notes)
    assert "given up for 60 s" in " ".join(show.record.notes)
    assert "sound: is back" in " ".join(show.record.notes)


@pytest.mark.parametrize(("direction", "code"), [("music-to-video", 1), ("both", 0)])
def test_losing_a_stage_ends_only_the_directions_that_need_it(tmp_path: Path, direction: str, code: int) -> None:
    world = World()
    needed = Process("picture", "x", warm_spare=False, restarts=0, essential_to=("music-to-video",))
    rows = [needed, plain_row("speaker")]
    show = supervisor(world, tmp_path, rows, direction=direction, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("picture"), "status", -9))
    world.at(20.0, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == code


@pytest.mark.parametrize("direction", FORWARD)
def test_a_sense_that_keeps_dying_ends_a_show_only_before_it_begins(tmp_path: Path, direction: str) -> None:
    world = World()
    rows = [replace(plain_row("camera"), restarts=1), plain_row("speaker")]
    show = supervisor(world, tmp_path, rows, direction=direction, duration_s=80.0)
    for at in (5.0, 8.0):
        world.at(at, lambda: setattr(world.of("camera"), "status", -9))
    world.at(80.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    given_up, back = show.record.degraded
    assert "camera: was killed by SIGKILL; it is given up, the performance goes on without it" in given_up
    assert back.endswith("camera: is back"), "it is tried again every minute"

    early = World()
    early.deaf.add("speaker")
    show = supervisor(early, tmp_path, rows, direction=direction, duration_s=80.0)
    for at in (1.0, 3.0):
        early.at(at, lambda: setattr(early.of("camera"), "status", -9))
    ending = show.run()
    assert (ending.code, show.record.start_ns) == (1, None)
    assert "camera: was killed by SIGKILL; it was started again too often" in ending.line


def test_what_is_given_up_is_tried_again_later_and_said(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), replace(plain_row("recorder"), restarts=1, essential_to=(), needs="")]
    show = supervisor(world, tmp_path, rows, duration_s=100.0)
    for at in (3.0, 6.0):
        world.at(at, lambda: world.of("recorder").kill())
    world.at(100.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    given_up, back = show.record.degraded
    assert "recorder: was killed by SIGKILL; it is given up" in given_up
    assert back.endswith("recorder: is back")
    assert show.record.stages["recorder"].state == "closed"


def test_in_a_show_of_both_directions_the_other_one_goes_on(tmp_path: Path) -> None:
    world = World()
    rows = [*table(restarts=0), plain_row("screen")]
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].state == "lost"
    assert "sound: " in " ".join(show.record.degraded)


def test_ticks_that_are_late_for_long_give_up_the_pictures_and_a_restarted_stage_knows(tmp_path: Path) -> None:
    world = World()
    names = ("camera", "tokens", "speaker", "picture")
    show = supervisor(world, tmp_path, [plain_row(name) for name in names], duration_s=20.0)
    bins = {bin_of(90.0): 2}
    for number in range(8):
        beat = Health(stage="tokens", histograms={"step_ms": bins})
        world.at(5.0 + 0.25 * number, lambda beat=beat: world.of("tokens").say(beat))
    world.at(7.2, lambda: world.of("picture").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    told = [(identity, said.level) for _, identity, said in world.said if isinstance(said, Load)]
    first, second = (child.identity for child in world.children if child.stage == "picture")
    of_first = [level for identity, level in told if identity == first]
    of_second = [level for identity, level in told if identity == second]
    assert of_first[:2] == [1, 2]
    assert of_second[0] == of_first[-1], "what is given up at present"
    assert of_second[-1] == 0
    assert show.record.load.highest >= 2
    assert show.record.load.level == 0
