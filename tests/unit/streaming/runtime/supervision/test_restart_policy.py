"""What becomes of a stage whose process has died: started again, with how much patience."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from streaming.schema.messages import (
    ControlRequest,
    Failed,
    Finished,
)
from tests.unit.streaming.runtime.supervision.virtual_show import (
    SETUP_NS,
    S,
    World,
    plain_row,
    starts,
    supervisor,
    table,
)


def test_a_killed_stage_is_back_with_its_memo_and_told_to_start(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert sound.restarts == 1
    assert sound.recovery_ms == [pytest.approx(520, abs=50)]
    assert sound.output_ms == [pytest.approx(770, abs=60)]
    first, second = (child for child in world.children if child.stage == "sound")
    assert second.line["memo"] == {"pid": first.pid}
    assert second.line["incarnation"] == 1
    assert len(starts(world, "sound")) == 2
    assert "SIGKILL" in " ".join(show.record.notes)


def test_a_stage_whose_device_has_gone_is_renewed_as_often_as_that_happens(tmp_path: Path) -> None:
    """Ten times in ten seconds, where five deaths in a minute end a show."""
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    for second in range(5, 15):
        world.at(
            second, lambda: world.of("sound").say(Failed(stage="sound", line="sound: the device has gone", renew=True))
        )
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 10
    assert max(show.record.stages["sound"].recovery_ms) < 1_000.0, "at once, each time"
    assert not [note for note in show.record.notes if "started again" in note]


def test_the_warm_spare_takes_over_and_another_one_follows(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(warm_spare=True), duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    spares = [child for child in world.children if "--preload" in child.command]
    assert spares[0].stage == "sound"
    assert show.record.stages["sound"].recovery_ms == [pytest.approx(120, abs=50)]
    assert len(spares) == 2
    assert spares[1].stage == ""
    assert spares[1].status == -9


def test_an_essential_stage_that_keeps_dying_ends_the_show(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2), duration_s=60.0)
    for at in (3.0, 6.0, 9.0):
        world.at(at, lambda: world.of("sound").kill())
    ending = show.run()
    assert ending.code == 1
    assert "sound" in ending.line
    assert "last words" in ending.line
    assert show.record.stages["sound"].state == "lost"
    assert all(child.status is not None for child in world.children)


def test_a_budget_counts_only_the_window(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(restarts=2, restart_window_s=10.0), duration_s=100.0)
    for at in range(5, 95, 8):
        world.at(at, lambda: world.of("sound").kill())
    world.at(100.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].restarts == 12


def test_who_ends_without_a_word_is_started_again_a_moment_later(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: setattr(world.of("sound"), "status", 3))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    sound = show.record.stages["sound"]
    assert sound.restarts == 1
    assert sound.recovery_ms[0] < (SETUP_NS + S) / 1e6
    assert "ended with status 3" in " ".join(show.record.notes)


def test_a_users_error_after_the_start_is_a_death(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(
        5.0, lambda: world.of("camera").say(Failed(stage="camera", line="camera 7: is gone; plug it in", exit_code=2))
    )
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["camera"].restarts == 1


def test_a_stage_that_is_never_ready_fails_after_one_retry(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, table(setup_timeout_s=10.0))
    world.deaf.add("sound")
    ending = show.run()
    assert ending.code == 1
    assert "not ready within 10 s" in ending.line
    assert show.record.stages["sound"].restarts == 1


def test_the_fourth_restart_of_a_stage_that_works_is_immediate(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    for at in (3.0, 6.0, 9.0, 12.0):
        world.at(at, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].recovery_ms == [pytest.approx(520, abs=50)] * 4


def test_a_stage_that_keeps_dying_is_started_with_plainer_settings(tmp_path: Path) -> None:
    world = World()
    rows = [*table(), replace(plain_row("motion"), plainer=(("eyes", "bundle"),))]
    show = supervisor(world, tmp_path, rows, duration_s=20.0)
    for at in (3.0, 5.0, 7.0):
        world.at(at, lambda: world.of("motion").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    eyes = [child.line["show"]["eyes"] for child in world.children if child.stage == "motion"]  # type: ignore[index]
    assert eyes == ["auto", "auto", "auto", "bundle"]
    assert "motion: is started with --eyes bundle" in " ".join(show.record.degraded)


def test_a_crash_of_native_code_names_the_file_of_the_settings_or_that_it_was_told_to_read(tmp_path: Path) -> None:
    world = World()
    rows = [plain_row(name) for name in ("camera", "speaker", "scene")]
    clip, prior = str(tmp_path / "clip.mp4"), tmp_path / "odd.png"
    prior.write_bytes(b"")
    show = supervisor(world, tmp_path, rows, direction="both", duration_s=20.0, camera=f"file:{clip}")
    request = ControlRequest(stage="ctl", name="prior", value=str(prior))
    world.at(3.0, lambda: setattr(world.of("camera"), "status", -11))
    world.at(5.0, lambda: world.reports.append((b"ctl", request)))
    world.at(6.0, lambda: setattr(world.of("scene"), "status", -6))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    notes = " ".join(show.record.notes)
    assert f"camera: native code crashed (SIGSEGV) while it read {clip}; convert this file, or give another" in notes
    assert f"scene: native code crashed (SIGABRT) while it read {prior}; convert" in notes
