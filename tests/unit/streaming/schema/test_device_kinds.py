"""The table of device kinds: every row can be opened, means one thing, and is checked without a device library."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from streaming.errors import SourceError
from streaming.schema.device_kinds import CAMERA, DEVICE_OPTIONS, MICROPHONE, SCREEN, SPEAKER, DeviceKind, DeviceOption
from streaming.schema.processes import may_see_screen

CHECKOUT = Path(__file__).resolve().parents[4]
ARGUMENTS = {"camera": 2, "speaker": 3, "microphone": 1, "screen": 3}


@pytest.mark.parametrize("name", DEVICE_OPTIONS)
def test_every_row_names_a_function_that_takes_what_its_option_gives(name: str) -> None:
    rows = [kind for kind in DEVICE_OPTIONS[name].kinds if kind.opener]
    assert len(rows) >= 3
    for kind in rows:
        parameters = inspect.signature(kind.load()).parameters.values()
        needed = [one for one in parameters if one.default is inspect.Parameter.empty]
        assert len(needed) == ARGUMENTS[name], kind.usage
        assert kind.words


@pytest.mark.parametrize(
    ("option", "text", "usage", "argument"),
    [
        (CAMERA, "2", "N", "2"),
        (CAMERA, "/dev/video0", "N", "/dev/video0"),
        (CAMERA, "RTSP://x/y", "URL", "RTSP://x/y"),
        (CAMERA, "performer", "performer[:strings|keys|drums|air|dance][@SEED]", "performer"),
        (CAMERA, "performer:dance@3", "performer[:strings|keys|drums|air|dance][@SEED]", "performer:dance@3"),
        (CAMERA, "performers.mp4", "FILE", "performers.mp4"),
        (CAMERA, "file:take:1.mp4", "FILE", "take:1.mp4"),
        (SPEAKER, "file:a:b.WAV", "file:PATH.wav", "a:b.WAV"),
        (SPEAKER, "USB Audio: 2", "DEVICE", "USB Audio: 2"),
        (MICROPHONE, "./take.wav", "FILE", "./take.wav"),
        (MICROPHONE, "hw:0,1", "DEVICE", "hw:0,1"),
        (MICROPHONE, "self", "self", ""),
        (SCREEN, "window:1", "window[:MONITOR]", "1"),
        (SCREEN, "web", "web", ""),
        (SCREEN, "file:x.mp4", "file:PATH.mp4", "x.mp4"),
        (CAMERA, "ndi:STUDIO (Camera 1)", "ndi:NAME", "STUDIO (Camera 1)"),
        (SCREEN, "ndi", "ndi[:NAME]", ""),
        (CAMERA, "browser", "browser", ""),
        (SPEAKER, "browser", "browser", ""),
        (MICROPHONE, "browser", "browser", ""),
        (SCREEN, "browser", "browser", ""),
        (SCREEN, "camera:/dev/video9", "camera[:DEVICE]", "/dev/video9"),
        (SCREEN, "rtsp://127.0.0.1:8554/antiphon", "URL", "rtsp://127.0.0.1:8554/antiphon"),
    ],
)
def test_what_a_text_means(option: DeviceOption, text: str, usage: str, argument: str) -> None:
    kind, found = option.find(text)
    assert (kind.usage, found) == (usage, argument)


def test_an_existing_file_is_a_microphones_file_even_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert MICROPHONE.find("take.wav")[0].usage == "DEVICE"
    Path("take.wav").touch()
    assert MICROPHONE.find("take.wav")[0].usage == "FILE"


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        (CAMERA, "performer:juggler", "write performer[:strings"),
        (CAMERA, "gopher://x", "write URL"),
        (CAMERA, "", "names no device"),
        (SPEAKER, "file:x.mp3", "write file:PATH.wav"),
        (SCREEN, "window:left", "write window[:MONITOR]"),
        (CAMERA, "ndi:", "write ndi:NAME"),
        (SCREEN, "ftp://x", "write URL (an RTSP server, or a listener of UDP)"),
        (
            SCREEN,
            "television",
            "use auto | window[:MONITOR] | web | file:PATH.mp4 | browser | camera[:DEVICE]",
        ),
        (SCREEN, "web\n:1", "is not known"),
        (SCREEN, "web:8025", "--console PORT"),
    ],
)
def test_what_means_nothing_gets_one_line(option: DeviceOption, text: str, says: str) -> None:
    with pytest.raises(SourceError) as caught:
        option.find(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_row_is_all_that_an_option_needs_to_know_of_a_new_device() -> None:
    new = DeviceKind("bell[:TONE]", "a bell", "operator:concat", "bell(?::(.*))?", argument="[a-g]?")
    option = DeviceOption("bell", (new, *SPEAKER.kinds))
    assert option.usage() == f"bell[:TONE] | {SPEAKER.usage()}"
    assert option.open("bell:c", "#") == "c#"
    with pytest.raises(SourceError, match=r"--bell bell:x: has the wrong form; write bell"):
        option.open("bell:x", "#")


def test_only_what_looks_into_the_room_may_see_the_screen() -> None:
    assert [may_see_screen(name) for name in ("auto", "0", "http://x")] == [True] * 3
    assert [may_see_screen(name) for name in ("performer", "film.mp4")] == [False] * 2


def test_a_command_line_is_checked_without_a_device_library(tmp_path: Path) -> None:
    libraries = "{'av', 'pygame', 'sounddevice', 'PIL', 'cv2', 'cyndilib', 'pyvirtualcam', 'aiortc'}"
    code = (
        "import sys; from streaming.settings.options import parse;"
        "parse('--camera performer:keys --speaker file:o.wav --screen file:o.mp4 --record none'.split());"
        f"print(sorted({libraries} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_warm_spare_has_every_device_module_that_can_be_imported() -> None:
    """What a spare imported beforehand need not be imported while a killed screen is away (1 s and more)."""
    code = (
        "import sys; from streaming.schema.device_kinds import DEVICE_OPTIONS as options;"
        "[option.preload() for option in options.values()];"
        "rows = [kind.opener.partition(':')[0] for option in options.values() for kind in option.kinds if kind.opener];"
        "print(sorted(set(rows) - set(sys.modules)), 'av' in sys.modules, 'pygame' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[] True False"
