"""Outputs that other programs take: NDI, streams, a virtual camera; one line where they cannot be had."""

from __future__ import annotations

import json
import socket
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest

from streaming.devices.cameras.frames import CameraSource, Frame
from streaming.devices.screens.device import ScreenDevice
from streaming.devices.screens.spout import SpoutScreen
from streaming.devices.screens.stream import StreamScreen
from streaming.devices.screens.syphon import SyphonScreen
from streaming.devices.screens.window import window_size
from streaming.errors import UserError
from streaming.schema.device_kinds import CAMERA, SCREEN
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock

SIZE = (128, 96)
PAUSE = threading.Event()


def two_halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> np.ndarray:
    """A picture [96, 128, 3] of two colours, BGR."""
    picture = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    picture[:, :64], picture[:, 64:] = left, right
    return picture


def open_screen(spec: str) -> ScreenDevice:
    screen: ScreenDevice = SCREEN.open(spec, lambda line: None, lambda name, by: None)
    return screen


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def within(seconds: float, attempt: Callable[[], Any]) -> Any:
    """What an attempt gives, made 50 times a second until it gives something."""
    for _ in range(round(seconds * 50)):
        if (found := attempt()) is not None:
            return found
        PAUSE.wait(0.02)
    raise AssertionError("it never came")


@pytest.fixture
def ndi_on_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NDI looks for sources on this machine by address, as there may be no mDNS service."""
    settings = {"ndi": {"networks": {"ips": "127.0.0.1", "discovery": ""}}}
    (tmp_path / "ndi-config.v1.json").write_text(json.dumps(settings))
    monkeypatch.setenv("NDI_CONFIG_DIR", str(tmp_path))


@pytest.mark.usefixtures("ndi_on_loopback")
def test_ndi_there_and_back() -> None:
    screen = open_screen("ndi:antiphon test")
    left, right = (200, 40, 20), (20, 60, 220)
    screen.show(0, two_halves(left, right))
    context = Context(show=Show(), metrics=Metrics(), now_ns=clock.now_ns())
    camera: CameraSource = CAMERA.open("ndi:Antiphon Test", context)
    ended = threading.Event()

    def send() -> None:
        tick = 1
        while not ended.wait(0.04):
            screen.show(tick, two_halves(left, right))
            tick += 1

    sending = threading.Thread(target=send)
    sending.start()
    try:
        camera.open(context)
        frame: Frame = within(5.0, lambda: camera.poll(clock.now_ns()))
        assert frame.image.shape == (96, 128, 3)
        for column, colour in ((20, left), (108, right)):
            assert np.abs(frame.image[48, column].astype(int) - colour).max() < 12, "the right way round, in BGR"
        later: Frame = within(5.0, lambda: camera.poll(clock.now_ns()))
        assert later.capture_ns > frame.capture_ns
    finally:
        ended.set()
        sending.join()
        camera.close()
        screen.close()
        screen.close()


@pytest.mark.parametrize("scheme", ["rtsp", "udp"])
def test_a_stream_arrives_at_whoever_listens(scheme: str) -> None:
    """FFmpeg itself is the server: RTSP's ANNOUNCE and RECORD, or UDP."""
    port = free_port(socket.SOCK_STREAM if scheme == "rtsp" else socket.SOCK_DGRAM)
    url = f"{scheme}://127.0.0.1:{port}" + ("/antiphon" if scheme == "rtsp" else "")
    options = {"rtsp_flags": "listen", "rtsp_transport": "tcp", "listen_timeout": "15"} if scheme == "rtsp" else {}
    pictures: list[np.ndarray] = []

    def listen() -> None:
        with av.open(url, options=options) as container:
            for frame in container.decode(video=0):
                pictures.append(frame.to_ndarray(format="bgr24"))
                if len(pictures) == 5:
                    return

    listening = threading.Thread(target=listen)
    listening.start()
    notes: list[str] = []
    counted: list[str] = []
    screen = StreamScreen(url, notes.append, lambda name, by: counted.append(name))
    try:
        for tick in range(500):
            screen.show(tick, two_halves((10, 10, 10), (230, 230, 230)))
            PAUSE.wait(0.04)
            if not listening.is_alive():
                break
        listening.join(1.0)
        assert len(pictures) == 5
        assert pictures[-1].shape == (96, 128, 3)
        assert pictures[-1][48, 20].max() < 40
        assert pictures[-1][48, 108].min() > 200
    finally:
        screen.close()


def test_a_stream_whose_server_is_away_is_said_once_and_found_again() -> None:
    port = free_port()
    notes: list[str] = []
    counted: list[str] = []
    screen = StreamScreen(f"rtsp://me:secret@127.0.0.1:{port}/a", notes.append, lambda name, by: counted.append(name))
    picture = two_halves((1, 2, 3), (1, 2, 3))
    listening = threading.Thread(target=_record_one, args=(port,))
    try:
        for tick in range(600):
            screen.show(tick, picture)
            PAUSE.wait(0.02)
            if tick == 75:
                assert counted.count("device_lost") == 1, "tried twice by now"
                listening.start()
            if "device_back" in counted:
                break
        assert [line.partition(" (")[0] for line in notes] == [
            f"the stream to rtsp://***@127.0.0.1:{port}/a is lost",
            f"the stream to rtsp://***@127.0.0.1:{port}/a is back",
        ]
    finally:
        screen.close()
        listening.join(5.0)


def _record_one(port: int) -> None:
    options = {"rtsp_flags": "listen", "rtsp_transport": "tcp", "listen_timeout": "15"}
    with av.open(f"rtsp://127.0.0.1:{port}/a", options=options) as container:
        next(container.decode(video=0))


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **members: object) -> None:
    module = types.ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)


class FakeCamera:
    """In place of pyvirtualcam's."""

    made: ClassVar[list[FakeCamera]] = []

    def __init__(self, **settings: object) -> None:
        if settings["device"] == "/dev/video99":
            raise RuntimeError("'v4l2loopback' backend: Device /dev/video99\ndoes not exist.")
        self.settings, self.closed = settings, 0
        self.sent: np.ndarray[Any, Any] = np.zeros((1, 1, 3), np.uint8)
        self.device = "/dev/video7"
        self.made.append(self)

    def send(self, frame: np.ndarray) -> None:
        self.sent = frame.copy()

    def close(self) -> None:
        self.closed += 1


def test_a_virtual_camera_shows_the_picture_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "pyvirtualcam", Camera=FakeCamera, PixelFormat=types.SimpleNamespace(BGR="bgr"))
    screen = open_screen("camera")
    camera = FakeCamera.made[-1]
    assert camera.settings == {"width": 1280, "height": 720, "fps": 25, "fmt": "bgr", "device": None}
    assert screen.name == "virtual camera /dev/video7"
    screen.show(0, np.full((100, 100, 3), (10, 20, 240), np.uint8))
    assert np.shape(camera.sent) == (720, 1280, 3)
    assert camera.sent[360, 640].tolist() == [10, 20, 240]
    assert camera.sent[360, 270].tolist() == [0, 0, 0]
    screen.show(1, np.full((90, 160, 3), (10, 20, 240), np.uint8))
    assert camera.sent[360, 270].tolist() == [10, 20, 240]
    screen.close()
    assert camera.closed == 1
    with pytest.raises(UserError) as caught:
        open_screen("camera:/dev/video99")
    assert str(caught.value).startswith("--screen camera:/dev/video99: there is no virtual camera")
    assert "modprobe v4l2loopback" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "spec", "library", "says"),
    [
        (SCREEN, "camera", "pyvirtualcam", 'pip install -e ".[virtualcamera]"'),
        (SCREEN, "ndi", "cyndilib.sender", 'pip install -e ".[ndi]"'),
        (CAMERA, "ndi:x", "cyndilib", 'pip install -e ".[ndi]"'),
    ],
)
def test_a_missing_library_gets_one_line(
    option: Any, spec: str, library: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    arguments = [None] if option is CAMERA else [print, print]
    with pytest.raises(UserError, match="cannot be loaded") as caught:
        option.open(spec, *arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_spout_and_syphon_are_refused_elsewhere_with_one_line() -> None:
    for kind, platform, says in ((SpoutScreen, "linux", "Windows"), (SyphonScreen, "win32", "macOS")):
        with pytest.raises(UserError, match=f"is a system of {says}; use --screen ndi"):
            kind("x", platform)


def test_spout_sends_pictures_as_their_library_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    sender = types.SimpleNamespace(
        setSenderName=lambda name: calls.append(("name", name)),
        sendImage=lambda pixels, *rest: calls.append((pixels.shape, pixels[0, 0].tolist(), *rest)),
        releaseSender=lambda: calls.append(("end",)),
    )
    stand_in(monkeypatch, "SpoutGL", SpoutSender=lambda: sender, enums=types.SimpleNamespace(GL_BGRA_EXT=32993))
    screen = SpoutScreen("stage", "win32")
    screen.show(0, two_halves((1, 2, 3), (4, 5, 6)))
    screen.close()
    screen.close()
    assert calls == [("name", "stage"), ((96, 128, 4), [1, 2, 3, 255], 128, 96, 32993, False, 0), ("end",)]


def test_syphon_publishes_a_texture_of_each_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Server:
        device = "gpu"

        def __init__(self, name: str) -> None:
            calls.append(("name", name))

        def publish_frame_texture(self, texture: str) -> None:
            calls.append(("publish", texture))

        def stop(self) -> None:
            calls.append(("end",))

    stand_in(monkeypatch, "syphon", SyphonMetalServer=Server)
    stand_in(monkeypatch, "syphon.utils")
    stand_in(
        monkeypatch,
        "syphon.utils.numpy",
        copy_image_to_mtl_texture=lambda image, texture: calls.append((image[0, 0].tolist(), texture)),
    )
    stand_in(monkeypatch, "syphon.utils.raw", create_mtl_texture=lambda device, w, h: f"{device} {w}x{h}")
    screen = SyphonScreen("stage", "darwin")
    screen.show(0, two_halves((1, 2, 3), (4, 5, 6)))
    screen.close()
    screen.close()
    texture = "gpu 128x96"
    assert calls == [("name", "stage"), ([3, 2, 1, 255], texture), ("publish", texture), ("end",)]


def test_a_window_has_a_sensible_size() -> None:
    assert window_size((512, 512), (1920, 1080)) == (720, 720)
    assert window_size((512, 288), (3840, 2160)) == (2560, 1440)
    assert window_size((4000, 100), (1200, 900)) == (800, 20)
