"""The recorder stage: what it films, what it calls its films, and when it makes none."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from streaming.conventions import TICK_SAMPLES
from streaming.devices.films.film import Film
from streaming.devices.films.film_picture import FilmShot
from streaming.errors import UserError
from streaming.schema.messages import Camera, Flow, Microphone, Motion, Picture, Set, Sound, Speaker
from streaming.settings.config import Show
from streaming.stage import Context, Inputs
from streaming.stages import recorder
from streaming.stages.recorder import RecorderStage, latency_ms
from streaming.telemetry.metrics import Metrics
from tests.live.place import wait_for

MS = 1_000_000


def context_for(folder: Path | str, **memo: object) -> Context:
    return Context(Show(record=str(folder)), Metrics(), memo=dict(memo))


def sound(tick: int, *, fresh: bool = True, capture_ns: int = 500 * MS) -> Sound:
    return Sound(tick=tick, pcm=np.zeros(TICK_SAMPLES, np.float32), fresh=fresh, capture_ns=capture_ns)


def film_ticks(stage: RecorderStage, count: int) -> None:
    camera = Camera(image=np.full((48, 64, 3), 90, np.uint8))
    motion = Motion(
        flow=np.zeros((2, 16, 16), np.float32), speed=np.zeros((16, 16), np.float32), embedding=np.zeros(128)
    )
    stage.step(Inputs({"camera": [camera], "motion": [motion]}), 0)
    for tick in range(count):
        assert stage.step(Inputs({"sound": [sound(tick)]}), 0) == ()


def test_a_film_is_left_with_picture_and_sound(tmp_path: Path) -> None:
    stage, context = RecorderStage(), context_for(tmp_path / "new" / "recordings")
    stage.setup(context)
    film_ticks(stage, 6)
    stage.close()
    path = Path(context.info["film"])
    assert path.parent == tmp_path / "new" / "recordings"
    assert path.name.startswith("antiphon-")
    with av.open(str(path)) as container:
        assert len(list(container.decode(video=0))) == 6
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 6 * TICK_SAMPLES - 1_024


def test_without_a_camera_what_is_heard_and_shown_is_filmed(tmp_path: Path) -> None:
    stage = RecorderStage()
    context = Context(Show(record=str(tmp_path), direction="music-to-video"), Metrics())
    stage.setup(context)
    picture = Picture(tick=0, image=np.full((64, 64, 3), 120, np.uint8))
    flow = Flow(tick=0, flow=np.zeros((2, 16, 16), np.float32))
    stage.step(Inputs({"picture": [picture], "flow": [flow]}), 0)
    for tick in range(5):
        stage.step(Inputs({"microphone": [Microphone(tick=tick, pcm=np.zeros(TICK_SAMPLES, np.float32))]}), 0)
    stage.close()
    with av.open(context.info["film"]) as container:
        assert len(list(container.decode(video=0))) == 5


def test_every_part_after_a_restart_has_its_own_name(tmp_path: Path) -> None:
    memo: dict[str, object] = {}
    names = []
    for _ in range(3):
        stage, context = RecorderStage(), context_for(tmp_path, **memo)
        stage.setup(context)
        film_ticks(stage, 1)
        stage.close()
        memo = context.memo
        names.append(Path(context.info["film"]).name)
    base = names[0].removesuffix(".mp4")
    assert names == [f"{base}.mp4", f"{base}-2.mp4", f"{base}-3.mp4"]


def test_a_memo_that_was_lost_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "antiphon-NAME.mp4").write_text("mine")
    stage, context = RecorderStage(), context_for(tmp_path, name="NAME")
    stage.setup(context)
    film_ticks(stage, 1)
    stage.close()
    assert context.info["film"].endswith("antiphon-NAME-2.mp4")
    assert (tmp_path / "antiphon-NAME.mp4").read_text() == "mine"


def test_a_show_that_does_not_begin_leaves_no_film_and_names_none(tmp_path: Path) -> None:
    stage, context = RecorderStage(), context_for(tmp_path)
    stage.setup(context)
    stage.close()
    assert list(tmp_path.iterdir()) == []
    assert "film" not in context.info


def record(stage: RecorderStage, *values: float) -> None:
    stage.step(Inputs(controls=[Set(name="record", value=value) for value in values]), 0)


def wait_until_ended(stage: RecorderStage, lines: list[str], count: int) -> None:
    def ended() -> bool:
        stage.step(Inputs(), 0)
        return len(lines) >= count

    wait_for(ended, 20.0)


def test_takes_begin_and_end_while_the_show_runs_and_say_their_size(tmp_path: Path) -> None:
    lines: list[str] = []
    stage = RecorderStage()
    context = Context(Show(record=str(tmp_path), controls={"record": 0.0}), Metrics(), note=lines.append)
    stage.setup(context)
    assert context.unwanted == recorder.INPUTS, "nothing is read while nothing is recorded"
    film_ticks(stage, 3)
    record(stage, 1.0)
    assert context.unwanted == frozenset()
    film_ticks(stage, 5)
    record(stage, 0.0)
    assert context.unwanted == recorder.INPUTS
    assert stage.wake_ns() is not None or lines, "it looks whether the film is finished"
    wait_until_ended(stage, lines, 1)
    first = Path(context.info["film"])
    assert lines[0].startswith(f"{first.stem}: 0.2 s, ")
    assert "GB an hour; 1 take of " in lines[0]
    with av.open(str(first)) as container:
        assert len(list(container.decode(video=0))) == 5
    assert stage.wake_ns() is None
    film_ticks(stage, 3)
    record(stage, 1.0)
    film_ticks(stage, 2)
    record(stage, 0.0, 1.0)
    film_ticks(stage, 4)
    stage.close()
    assert len(list(tmp_path.glob("*.mp4"))) == 2, "off and on within a step is nothing"
    with av.open(context.info["film"]) as container:
        assert len(list(container.decode(video=0))) == 4, "two ticks came twice"
    assert "2 takes of " in lines[1]
    assert context.metrics.take().gauges["film_mb"] > 0.0


def test_a_take_that_begins_waits_for_the_one_that_ends(tmp_path: Path) -> None:
    lines: list[str] = []
    stage = RecorderStage()
    stage.setup(Context(Show(record=str(tmp_path)), Metrics(), note=lines.append))
    film_ticks(stage, 3)
    record(stage, 0.0)
    record(stage, 1.0)
    wait_until_ended(stage, lines, 1)
    film_ticks(stage, 2)
    stage.close()
    assert len(lines) == len(list(tmp_path.glob("*.mp4"))) == 2


def test_the_oldest_takes_make_room_for_a_new_one(tmp_path: Path) -> None:
    for name in ("antiphon-20200101-000000", "antiphon-20200102-000000", "holiday"):
        for suffix in (".mp4", ".take"):
            (tmp_path / f"{name}{suffix}").write_bytes(b"x" * 1_000)
    lines: list[str] = []
    stage = RecorderStage()
    stage.setup(Context(Show(record=str(tmp_path), keep_takes="2"), Metrics(), note=lines.append))
    film_ticks(stage, 2)
    stage.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in names if name < "antiphon-2021"] == [
        "antiphon-20200102-000000.mp4",
        "antiphon-20200102-000000.take",
    ]
    assert {"holiday.mp4", "holiday.take"} <= set(names)
    assert lines[0] == "antiphon-20200101-000000: removed, for --keep-takes 2"


def test_none_records_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    stage = recorder.build()
    stage.setup(Context(Show(record="none"), Metrics(), note=said.append))
    stage.step(Inputs({"sound": [sound(0)]}, controls=[Set(name="still", value="x.png")]), 0)
    stage.close()
    assert list(tmp_path.iterdir()) == []
    assert len(said) == 1


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stage = RecorderStage()
    with pytest.raises(UserError):
        stage.setup(context_for(tmp_path / "file"))
    stage.close()


def test_a_still_is_saved_on_demand(tmp_path: Path) -> None:
    stage, context = RecorderStage(), context_for(tmp_path)
    stage.setup(context)
    stage.step(Inputs(controls=[Set(name="still", value=str(tmp_path / "s.png"))]), 0)
    film_ticks(stage, 3)
    stage.close()
    assert (tmp_path / "s.png").stat().st_size > 1_000


def test_motion_to_sound_is_capture_to_the_ticks_first_sample() -> None:
    speaker = Speaker(tick=8, dac_ns=490 * MS)
    assert latency_ms(sound(10), None) is None
    assert latency_ms(sound(10), speaker) == pytest.approx(70.0)
    assert latency_ms(sound(10, capture_ns=0), speaker) is None


def test_every_tick_of_the_film_has_the_picture_that_was_shown_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures come up to three ticks after the sound, two of them at once; one is never made."""
    shots: list[tuple[int, int]] = []

    class WatchedFilm(Film):
        def add(self, pcm: np.ndarray, shot: FilmShot) -> None:
            shots.append((shot.tick, -1 if shot.picture is None else int(shot.picture[0, 0, 0])))
            super().add(pcm, shot)

    monkeypatch.setattr(recorder, "Film", WatchedFilm)
    stage = RecorderStage()
    stage.setup(Context(Show(record=str(tmp_path), direction="both"), Metrics()))
    for tick in range(40):
        made = [late for late in (tick - 3, tick - 2) if tick % 2 and late >= 0 and late != 20]
        pictures = [Picture(tick=late, image=np.full((48, 64, 3), 5 * late, np.uint8)) for late in made]
        stage.step(Inputs({"sound": [sound(tick)], "picture": list(pictures)}), 0)
    assert len(shots) >= 36
    stage.close()
    assert [tick for tick, _ in shots] == list(range(40))
    assert [level for _, level in shots[:20]] == [5 * tick for tick in range(20)]
    assert shots[20] == (20, 95), "the one before it stays"
    assert [level for _, level in shots[21:37]] == [5 * tick for tick in range(21, 37)]


def test_without_any_pictures_the_film_is_at_most_a_few_ticks_behind(tmp_path: Path) -> None:
    stage, context = RecorderStage(), Context(Show(record=str(tmp_path), direction="both"), Metrics())
    stage.setup(context)
    film_ticks(stage, 25)
    while "film" not in context.info:
        stage.step(Inputs(), 0)
    stage.close()
    with av.open(context.info["film"]) as container:
        assert len(list(container.decode(video=0))) == 25


def test_a_show_with_a_width_is_filmed_in_two_channels(tmp_path: Path) -> None:
    stage, context = RecorderStage(), Context(Show(record=str(tmp_path), controls={"width": 0.6}), Metrics())
    stage.setup(context)
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(TICK_SAMPLES) / 32_000).astype(np.float32)
    for tick in range(12):
        stage.step(Inputs({"sound": [Sound(tick=tick, pcm=tone, side=-tone)]}), 0)
    stage.close()
    with av.open(str(context.info["film"])) as container:
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.shape[0] == 2
    left, right = np.abs(heard[:, 2_000:12_000]).max(axis=1)
    assert left < 0.05 < 0.4 < right
