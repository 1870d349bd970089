"""A network camera that misbehaves in every way before a whole show. `make test-faults` runs it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import Act, Fault, FaultyShow, perform_act
from tests.faults.rig.places import both
from tests.live.mjpeg_camera import MjpegCamera, mjpeg_camera
from tests.live.place import ShowFolder

pytestmark = pytest.mark.faults
GARBAGE = bytes(range(256)) * 40
TIMES = {"lost": 3, "back": 3}


@pytest.mark.timeout(200)
def test_a_camera_that_misbehaves_in_every_way(place: ShowFolder) -> None:
    """It changes its size, hangs, sends garbage, goes and returns, is black, and freezes."""
    with ExitStack() as stack:
        camera = stack.enter_context(mjpeg_camera())
        port = camera.port

        def become(**state: Any) -> Any:
            def inject(show: FaultyShow) -> None:
                for name, value in state.items():
                    setattr(camera, name, value)

            return inject

        def go(show: FaultyShow) -> None:
            camera.close()

        def come_back(show: FaultyShow) -> None:
            nonlocal camera
            camera = stack.enter_context(mjpeg_camera(port))

        faults = (
            Fault("camera changes its size", become(height=200), seconds=2.0),
            Fault("camera hangs", become(sends=False), seconds=5.0),
            Fault("camera sends again", become(sends=True), seconds=5.0),
            Fault("camera sends garbage", become(garbage=GARBAGE), seconds=4.0),
            Fault("camera sends pictures again, of another size", become(garbage=b"", height=60), seconds=5.0),
            Fault("camera gone", go, seconds=3.0),
            Fault("camera back", come_back, seconds=4.0),
            Fault("camera black", become(frozen=0), seconds=12.0),
            Fault("camera frozen", become(frozen=0b0101_0101_0101), seconds=12.0),
        )

        def check(report: dict[str, Any]) -> None:
            lost = report["devices_lost"]["camera"]
            assert (lost["lost"], lost["back"]) == (TIMES["lost"], TIMES["back"]), lost
            assert 3.0 < lost["away_s"] < 25.0

        def words(folder: Path) -> list[str]:
            return ["--camera", f"http://127.0.0.1:{port}/", *both(folder)]

        act = Act(
            "a camera that misbehaves",
            faults,
            "both",
            words,
            camera="",
            notes=("camera lost", "camera back", "black", "the same to the bit"),
            own_gaps=True,
            checks=check,
        )
        perform_act(act, place)
    assert isinstance(camera, MjpegCamera)
