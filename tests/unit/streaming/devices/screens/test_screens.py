"""Screens: a film with its sound, a window under a virtual display; what cannot be had."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from streaming.devices.films import film
from streaming.devices.screens.device import NullScreen, ScreenDevice
from streaming.devices.screens.film_file import FilmScreen
from streaming.devices.screens.window import has_display
from streaming.errors import SourceError, UserError
from streaming.schema.device_kinds import SCREEN

SIZE = (96, 64)


def plain(value: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((size[1], size[0], 3), value, np.uint8)


def film_of(path: Path) -> tuple[list[float], np.ndarray]:
    """The mean of every picture, and the sound."""
    with av.open(str(path)) as container:
        pictures = [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return pictures, np.concatenate(sound)


def open_screen(spec: str, note: Callable[[str], None] = lambda line: None) -> ScreenDevice:
    screen: ScreenDevice = SCREEN.open(spec, note, lambda name, by: None)
    return screen


def test_a_film_holds_every_tick_with_its_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tick 10 is bright and loud; sounds come before their pictures, one picture never comes."""
    # Here they come faster than time passes, and may wait.
    monkeypatch.setattr(film, "MAX_WAITING_PICTURES", 100)
    path = tmp_path / "out.mp4"
    path.write_bytes(b"an older film")
    notes: list[str] = []
    screen = FilmScreen(path, notes.append)
    screen.set_size(SIZE)
    assert path.read_bytes() == b"an older film", "it is not touched before the show"
    for tick in range(25):
        loud = 0.5 * np.sin(np.arange(1280) * 0.2) if tick == 10 else np.zeros(1280)
        screen.hear(tick, loud.astype(np.float32))
        if tick and tick - 1 != 15:
            screen.show(tick - 1, plain(200 if tick - 1 == 10 else 20, (96, 64) if tick < 20 else (48, 32)))
    screen.close()
    assert notes == [f"{path}: the earlier take is kept as out-1.mp4"]
    assert (tmp_path / "out-1.mp4").read_bytes() == b"an older film"
    pictures, sound = film_of(path)
    assert len(pictures) == pytest.approx(25, abs=1)
    assert np.argmax(pictures) == 10
    assert pictures[9] < 60 > pictures[11]
    levels = np.abs(sound[: 24 * 1280].reshape(-1, 1280)).max(1)
    assert np.argmax(levels) == 10


def test_what_cannot_be_written_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        open_screen(f"file:{tmp_path}/missing/{'a' * 300}.mp4")
    assert "\n" not in str(caught.value)


def test_a_screen_without_a_picture_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "old.mp4").write_bytes(b"an older film")
    for name in ("old.mp4", "new.mp4"):
        open_screen(f"file:{tmp_path}/{name}").close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == b"an older film"


def test_a_colon_in_a_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    screen = open_screen("file:take:1.mp4")
    for tick in range(5):
        screen.hear(tick, np.zeros(1280, np.float32))
        screen.show(tick, plain(90))
    screen.close()
    assert len(film_of(tmp_path / "take:1.mp4")[0]) == 5


def test_the_choice_of_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(open_screen("none")) is NullScreen
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if not has_display():
        notes: list[str] = []
        assert type(open_screen("auto", notes.append)) is NullScreen
        assert len(notes) == 1
        assert "--screen web" in notes[0]
    for spec, says in (("web:8025", "--console PORT"), ("window:left", "wrong form"), ("television", "is not known")):
        with pytest.raises(SourceError, match=says):
            open_screen(spec)
    assert open_screen("web").name == "the console's page /screen"


WINDOW = """
import sys
import numpy as np
import pygame as game
from streaming.devices.screens.window import WindowScreen
from streaming.errors import UserError
screen = WindowScreen()
screen.set_size((200, 100))
screen.show(0, np.full((100, 200, 3), (10, 20, 240), np.uint8))
surface = screen.surface
print(surface.get_size(), surface.get_at((100, 50))[:3])
screen.fill(True)
screen.show(1, np.full((100, 200, 3), (10, 20, 240), np.uint8))
surface = screen.surface
print(surface.get_size(), surface.get_at((320, 240))[:3], surface.get_at((5, 5))[:3])
for key in (game.K_ESCAPE, game.K_q):
    game.event.post(game.event.Event(game.KEYDOWN, key=key))
print(screen.requests(), screen.full)
try:
    WindowScreen(7)
except UserError as error:
    print(error)
screen.close()
"""


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed (apt install xvfb)")
def test_a_window_shows_the_picture_whole_also_on_a_whole_monitor() -> None:
    display = ":97"
    server = subprocess.Popen(
        ["Xvfb", display, "-screen", "0", "640x480x24"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        environment = {"DISPLAY": display, "PATH": "/usr/bin:/bin", "SDL_VIDEODRIVER": "x11", "PYTHONPATH": "."}
        for _ in range(20):
            ran = subprocess.run(
                [sys.executable, "-c", WINDOW], env=environment, capture_output=True, text=True, check=False, timeout=60
            )
            if "no display" not in ran.stderr:
                break
        small, full, typed, refused = ran.stdout.splitlines()[-4:]
        assert small == "(427, 213) (240, 20, 10)", "two thirds of the monitor"
        assert full == "(640, 480) (240, 20, 10) (0, 0, 0)", "with black above and below"
        assert typed == "['quit'] False"
        assert "no such monitor" in refused
    finally:
        server.kill()
        server.wait()


def test_a_window_without_a_display_server_draws_in_memory() -> None:
    """SDL's dummy driver, whose monitor has 1024 x 768 pixels."""
    environment = {"PATH": "/usr/bin:/bin", "SDL_VIDEODRIVER": "dummy", "PYTHONPATH": "."}
    ran = subprocess.run(
        [sys.executable, "-c", WINDOW], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    small, full, typed, refused = ran.stdout.splitlines()[-4:]
    assert small == "(683, 341) (240, 20, 10)", "two thirds of the monitor"
    assert full.startswith("(1024, 768) (240, 20, 10)")
    assert typed == "['quit'] False"
    assert "no such monitor" in refused


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a desktop")
def test_a_window_that_nobody_could_see_is_refused() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WINDOW],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "--screen window: there is no display" in ran.stderr
