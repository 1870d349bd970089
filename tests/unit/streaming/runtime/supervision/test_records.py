"""What of the stages' reports is in the record of the show."""

from __future__ import annotations

from pathlib import Path

from streaming.schema.messages import (
    Finished,
    Health,
)
from tests.unit.streaming.runtime.supervision.virtual_show import (
    World,
    supervisor,
)


def test_what_has_changed_since_it_was_ready_is_in_the_record(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)
    world.at(5.0, lambda: world.of("sound").say(Health(stage="sound", info={"backend": "onnxruntime"})))
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].info == {"device": "fake", "backend": "onnxruntime"}


def test_every_note_of_a_stage_is_in_the_record_once_and_those_that_could_not_come_are_counted(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=5.0)
    notes = ["camera: a lens is dirty", "again", "again"]
    world.at(2.0, lambda: world.of("camera").say(Health(stage="camera", notes=notes, counters={"notes_lost": 3})))
    world.at(4.0, lambda: world.of("speaker").say(Finished(stage="speaker", reason="the duration is over")))
    world.at(4.0, lambda: world.of("sound").say(Health(stage="sound", notes=["the last word"])))
    assert show.run().code == 0
    assert list(show.record.notes) == [
        "camera: a lens is dirty",
        "camera: again",
        "camera: again",
        "camera: 3 notes came too fast to be passed on",
        "speaker: the duration is over",
        "sound: the last word",
    ]


def test_late_words_of_a_dead_process_count_but_do_not_keep_its_successor_alive(tmp_path: Path) -> None:
    world = World()
    show = supervisor(world, tmp_path, duration_s=20.0)

    def ghost() -> None:
        old = next(child for child in world.children if child.stage == "sound")
        old.say(Health(stage="sound", counters={"published": 1_000}, memo={"pid": -1}))

    world.at(5.0, lambda: world.of("sound").kill())
    world.at(8.0, ghost)
    world.at(12.0, lambda: world.of("sound").kill())
    world.at(20.5, lambda: world.of("speaker").say(Finished(stage="speaker")))
    assert show.run().code == 0
    assert show.record.stages["sound"].totals.counter("published") > 1_000
    third = world.of("sound")
    assert third.line["memo"] == {"pid": [child for child in world.children if child.stage == "sound"][1].pid}
