"""A real browser as camera, microphone, screen and speaker of a show, with Chromium's own test picture and tone."""

from __future__ import annotations

import contextlib
import datetime
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from streaming.devices.browser.bridge import BrowserBridge
from streaming.devices.browser.camera import BrowserCamera
from streaming.devices.browser.microphone import BrowserMicrophone
from streaming.devices.browser.screen import BrowserScreen
from streaming.devices.browser.speaker import BrowserSpeaker
from streaming.devices.sound.inputs import Intake
from streaming.remote.browser.browser_routes import BrowserRoutes
from streaming.remote.console.access import HEADERS, AccessGuard, AccessRules
from streaming.settings.config import Show
from streaming.stage import Context
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from tests.live.place import ShowFolder, wait_for
from tests.live.remote.browser import PROGRAM, browse

pytestmark = [pytest.mark.live, pytest.mark.faults, pytest.mark.skipif(PROGRAM is None, reason="needs chromium")]
FAKE_DEVICES = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)
ALL = ("camera", "microphone", "screen", "speaker")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_performer_plays_from_a_browser_and_goes_and_comes_again(stage: ShowFolder, tmp_path: Path) -> None:
    port = free_port()
    stage.direction = "both"
    devices = [word for kind in ALL for word in (f"--{kind}", "browser")]
    arguments = (*devices, "--report", str(tmp_path / "r.json"), "--console", str(port), "--duration", "60")
    with stage.begin(*arguments) as show:
        wait_for((stage.run_dir / "browser.sock").exists)
        with browse(tmp_path / "browser", f"http://127.0.0.1:{port}/play", *FAKE_DEVICES) as page:
            page.wait("document.getElementById('start').onclick !== null && !document.getElementById('start').disabled")
            page.click("#start")
            page.wait("document.getElementById('sending').textContent === 'connected'")
            page.wait("document.getElementById('getting').textContent === 'connected'")
            page.wait("document.getElementById('show').videoWidth > 100")
            page.wait("parseInt(document.getElementById('level').textContent) > -60")
            began = page.value("document.getElementById('show').currentTime")
            page.wait(f"document.getElementById('show').currentTime > {began} + 1")
            page.click("#start")
            page.wait("document.getElementById('sending').textContent === '–'")
            threading.Event().wait(3.0)
            page.click("#start")
            page.wait("document.getElementById('sending').textContent === 'connected'")
            threading.Event().wait(1.5)
            assert page.errors == []
        show.terminate()
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    report = stage.report()
    notes = "\n".join(report["notes"])
    assert f"browsers and OBS: http://127.0.0.1:{port}/play" in notes
    assert "a browser sends its camera and microphone" in notes
    assert "camera lost: browser" in notes
    assert "camera back: browser" in notes
    assert "browser has gone; nothing is heard" in notes
    assert "browser is back after" in notes
    for name in ("camera", "microphone", "speaker", "screen", "browser"):
        assert report["stages"][name]["restarts"] == 0, name
    assert report["fps"]["camera"] > 5


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The browser process's server and the console's routes for it, without a show; gives the address."""
    bridge = BrowserBridge(folder / "browser.sock", ALL, ["127.0.0.1"], lambda line: None)
    port = free_port()
    app = AccessGuard(
        Starlette(routes=BrowserRoutes(folder / "browser.sock", HEADERS).routes()), AccessRules("127.0.0.1", port)
    )
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(5.0)
        bridge.close()


THERE_AND_BACK = """
(async () => {
  // A picture that turns white and a click, and how long until both are seen and heard again.
  const canvas = document.createElement('canvas'); canvas.width = 320; canvas.height = 240;
  const paint = canvas.getContext('2d'); let light = false;
  const draw = () => { paint.fillStyle = light ? '#fff' : '#000'; paint.fillRect(0, 0, 320, 240);
                       paint.fillStyle = '#888'; paint.fillRect(0, 0, 8 + Math.random() * 8, 8); };
  setInterval(draw, 20);
  const context = meter.context;
  const tone = context.createOscillator(), gate = context.createGain(), sink = context.createMediaStreamDestination();
  tone.frequency.value = 700; gate.gain.value = 0; tone.connect(gate).connect(sink); tone.start();
  own.getTracks().forEach((track) => track.stop());
  for (const one of sender.peer.getSenders()) {
    await one.replaceTrack(one.track.kind === 'video' ? canvas.captureStream(30).getVideoTracks()[0]
                                                     : sink.stream.getAudioTracks()[0]);
  }
  const look = document.createElement('canvas'); look.width = look.height = 1;
  const eye = look.getContext('2d', { willReadFrequently: true });
  const sees = () => { eye.drawImage(document.getElementById('show'), 100, 60, 50, 50, 0, 0, 1, 1);
                       return eye.getImageData(0, 0, 1, 1).data[0] > 128; };
  const samples = new Float32Array(256);
  meter.analyser.fftSize = 256;
  const hears = () => { meter.analyser.getFloatTimeDomainData(samples);
                        return samples.some((one) => Math.abs(one) > 0.05); };
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const until = async (condition) => {
    const from = performance.now();
    while (!condition()) { if (performance.now() - from > 4000) return null; await wait(2); }
    return performance.now() - from;
  };
  await wait(4000);
  window.result = { picture: [], sound: [] };
  for (let turn = 0; turn < 12; turn++) {
    light = !light; draw();
    const seen = await until(() => sees() === light);
    gate.gain.value = 0.5;
    const heard = await until(hears);
    gate.gain.value = 0;
    window.result.picture.push(seen); window.result.sound.push(heard);
    await until(() => !hears()); await wait(300 + Math.random() * 80);
  }
  window.result.done = true;
})().catch((error) => { window.result = { error: String(error) }; })
"""


def test_the_way_there_and_back_takes_less_than_a_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the browser sends as camera and microphone is given back at once as screen and speaker."""
    path = tmp_path / "browser.sock"
    with served(tmp_path) as address:
        camera, microphone, intake = BrowserCamera(path), BrowserMicrophone(path), Intake(32_000)
        screen, speaker = BrowserScreen(path), BrowserSpeaker(path)
        camera.open(Context(show=Show(), metrics=Metrics(), now_ns=clock.now_ns()))
        microphone.start(intake)
        ended = threading.Event()

        def mirror() -> None:
            tick = 0
            while not ended.wait(0.002):
                if (frame := camera.poll(clock.now_ns())) is not None:
                    screen.show(tick, frame.image)
                    tick += 1

        def echo(block: np.ndarray, delay_ns: int, due_ns: int = 0) -> None:
            taken = intake.take(160)
            while intake.written - (taken[0] if taken else 0) > 960 and (more := intake.take(160)) is not None:
                taken = more
            block[:] = 0.0 if taken is None else cv2.resize(taken[1].reshape(1, -1), (240, 1))[0]

        mirroring = threading.Thread(target=mirror)
        mirroring.start()
        speaker.start(echo)  # type: ignore[arg-type]
        try:
            with browse(tmp_path / "browser", f"{address}/play", *FAKE_DEVICES) as page:
                page.wait("document.getElementById('start').onclick !== null")
                page.click("#start")
                page.wait("document.getElementById('show').videoWidth > 100 && !!meter.source")
                page.value(THERE_AND_BACK)
                page.wait("!!window.result && (window.result.done || !!window.result.error)", 90.0)
                result: dict[str, Any] = page.value("window.result")
                delay = page.value("document.getElementById('delay').textContent")
        finally:
            ended.set()
            mirroring.join()
            for device in (camera, microphone, screen, speaker):
                device.close()
    assert "error" not in result, result
    found = {kind: sorted(one for one in result[kind] if one is not None) for kind in ("picture", "sound")}
    with capsys.disabled():
        for kind, values in found.items():
            print(f"\n{kind}: there and back {[round(one) for one in values]} ms")  # noqa: T201
        print(delay)  # noqa: T201
    for values in found.values():
        assert len(values) >= 10
        assert values[len(values) // 2] < 1_000


def test_what_is_stopped_while_its_answer_is_on_the_way_is_ended_and_made_no_more(tmp_path: Path) -> None:
    with served(tmp_path) as address, browse(tmp_path / "browser", f"{address}/play", *FAKE_DEVICES) as page:
        page.wait("document.getElementById('start').onclick !== null")
        page.value(
            "window.asked = []; const ask = window.fetch; window.fetch = async (place, options) => {"
            " asked.push(options.method); const answer = await ask(place, options);"
            " if (options.method === 'POST') stop(); return answer; };"
        )
        page.click("#start")
        page.wait("asked.includes('POST')")
        page.wait("asked.filter((one) => one === 'DELETE').length === asked.filter((one) => one === 'POST').length")
        posted = page.value("asked.filter((one) => one === 'POST').length")
        threading.Event().wait(2.0)
        assert page.value("asked.filter((one) => one === 'POST').length") == posted
        assert page.value("document.getElementById('line').textContent") == ""
        assert page.errors == []


WHIP = """
import sys
import av
import numpy as np
options = {"cert_file": sys.argv[2], "key_file": sys.argv[3]}
with av.open(sys.argv[1], "w", format="whip", options=options) as container:
    video = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "profile": "baseline"})
    video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
    audio = container.add_stream("libopus", rate=48_000, layout="stereo")
    for tick in range(750):
        picture = av.VideoFrame.from_ndarray(np.full((240, 320, 3), (20, 40, 220), np.uint8), "bgr24")
        picture.pts = tick
        container.mux(video.encode(picture))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 3840), np.int16), "s16", "stereo")
        sound.sample_rate, sound.pts = 48_000, tick * 1920
        container.mux(audio.encode(sound))
        sys.stdin.readline()
"""


def certificate(folder: Path) -> list[str]:
    """A certificate on the curve P-256, and its key; FFmpeg's own may be on one that aiortc does not take."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sender")])
    begin = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    signed = made.not_valid_before(begin).not_valid_after(begin.replace(year=2126)).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return [str(folder / "cert.pem"), str(folder / "key.pem")]


@pytest.mark.skipif("whip" not in av.formats_available, reason="this build of FFmpeg has no WHIP")
def test_a_program_that_speaks_whip_is_a_camera(tmp_path: Path) -> None:
    """FFmpeg's own WHIP client, which is not of this project and has no browser in it."""
    with served(tmp_path) as address:
        camera = BrowserCamera(tmp_path / "browser.sock")
        camera.open(Context(show=Show(), metrics=Metrics(), now_ns=clock.now_ns()))
        command = [sys.executable, "-c", WHIP, f"{address}/whip", *certificate(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sender:
            assert sender.stdin is not None
            try:

                def red() -> bool:
                    assert sender.poll() is None, sender.stderr.read() if sender.stderr else ""
                    if sender.stdin is not None:
                        sender.stdin.write("\n")
                        sender.stdin.flush()
                    frame = camera.poll(clock.now_ns())
                    return frame is not None and int(frame.image[..., 2].mean()) > 180

                wait_for(red, 30.0)
            finally:
                sender.kill()
                camera.close()
