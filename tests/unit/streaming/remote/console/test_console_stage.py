"""The stage: wishes become requests, changes and refusals come back, and without a browser it reads nothing."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from streaming.errors import UserError
from streaming.remote.console.console_stage import INPUTS, ConsoleStage
from streaming.schema.messages import ControlReply, ControlRequest, Set, StatusReply, StatusRequest
from streaming.settings.config import Links, Show
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from streaming.timing import clock
from tests.live.place import wait_for


class FakeSupervisor:
    """Keeps the requests, and gives the replies that a test puts in."""

    def __init__(self, *_: Any) -> None:
        self.requests: list[ControlRequest | StatusRequest] = []
        self.replies: list[ControlReply | StatusReply] = []

    def send(self, report: ControlRequest | StatusRequest) -> None:
        self.requests.append(report)

    def receive(self) -> list[ControlReply | StatusReply]:
        replies, self.replies = self.replies, []
        return replies

    def close(self) -> None:
        """Nothing is open."""


class Hall:
    """A stage on a free port."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **devices: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = port or int(free.getsockname()[1])
        self.link, self.notes = FakeSupervisor(), list[str]()
        self.stage = ConsoleStage(lambda *_: self.link)  # type: ignore[arg-type]
        show = Show(console=f"{host}:{self.port}", links=Links(allow_remote=True))
        show = msgspec.structs.replace(show, **devices)
        self.context = Context(show, Metrics(), note=self.notes.append, now_ns=clock.now_ns())
        self.stage.setup(self.context)

    def step(self, **inputs: Any) -> None:
        self.stage.step(Inputs(**inputs), clock.now_ns())

    def requests(self, kind: type) -> list[Any]:
        self.step()
        return [one for one in self.link.requests if isinstance(one, kind)]

    def open(self, **options: Any) -> ClientConnection:
        page: ClientConnection = connect(f"ws://127.0.0.1:{self.port}/live", **options)
        return page


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    monkeypatch.setenv("ANTIPHON_CONFIG", str(tmp_path))
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    one = Hall()
    yield one
    one.stage.close()


def hear(page: ClientConnection, kind: str) -> Any:
    for _ in range(200):
        text = page.recv(20.0)
        if isinstance(text, str) and json.loads(text)["type"] == kind:
            return json.loads(text)
    raise AssertionError(kind)


def test_a_screen_that_is_a_page_is_said_and_must_be_had(hall: Hall) -> None:
    one = Hall(screen="web")
    try:
        assert one.notes[1:] == [f"the picture is at http://127.0.0.1:{one.port}/screen"]
    finally:
        one.stage.close()
    with pytest.raises(UserError, match="cannot be listened at"):
        Hall(screen="web", port=hall.port)
    other = Hall(port=hall.port)
    assert other.notes[0].startswith("no console: ")


def test_a_wish_becomes_a_request_and_its_change_is_told(hall: Hall) -> None:
    assert hall.notes == [f"the console is at http://127.0.0.1:{hall.port}/"]
    with hall.open() as page:
        hear(page, "values")
        page.send(json.dumps({"do": "set", "name": "motion", "value": 2, "passing": True}))
        wait_for(lambda: hall.requests(ControlRequest), 20.0)
        (request,) = hall.requests(ControlRequest)
        assert (request.name, float(request.value), request.passing) == ("motion", 2.0, True)
        hall.step(controls=[Set(name="motion", value=2.0)])
        assert hear(page, "values")["values"]["motion"] == 2.0
        hall.link.replies = [ControlReply(lines=["is no voice", "set voice x", "use auto"], refused=True)]
        hall.step()
        assert hear(page, "lines")["lines"] == [{"refused": "set voice x: is no voice; use auto"}]


def test_a_page_is_told_which_devices_a_browser_may_be(hall: Hall) -> None:
    with hall.open() as page:
        assert hear(page, "hello")["browsers"] == []
    other = Hall(camera="browser", speaker="browser")
    try:
        with other.open() as page:
            assert hear(page, "hello")["browsers"] == ["camera", "speaker"]
    finally:
        other.stage.close()


def test_topics_are_read_while_a_browser_shows_them_and_status_is_asked(hall: Hall) -> None:
    hall.step()
    assert hall.context.unwanted == INPUTS
    assert hall.link.requests == []

    def unwanted() -> frozenset[str]:
        hall.step()
        return hall.context.unwanted

    with hall.open() as page:
        wait_for(lambda: not unwanted(), 20.0)
        wait_for(lambda: hall.requests(StatusRequest), 20.0)
        hall.link.replies = [StatusReply(status={"rows": [{"name": "camera"}], "notes": ["a note"], "notes_count": 7})]
        hall.step()
        while not (status := hear(page, "status")).get("rows"):
            pass
        assert status["notes"] == ["a note"]
        wait_for(lambda: hall.requests(StatusRequest)[-1].notes == 7, 20.0)
        page.send(json.dumps({"do": "view", "view": "performance"}))
        wait_for(lambda: unwanted() == INPUTS - {"picture", "screen"}, 20.0)
    wait_for(lambda: unwanted() == INPUTS, 20.0)


def test_a_strange_origin_and_host_are_refused(hall: Hall) -> None:
    with pytest.raises(Exception, match="HTTP 403"):
        hall.open(additional_headers={"Origin": "http://evil.example"})
    strange = urllib.request.Request(f"http://127.0.0.1:{hall.port}/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(strange, timeout=20)
    assert error.value.code == 403


def test_a_taken_port_leaves_the_show_without_a_console(hall: Hall) -> None:
    other, notes = ConsoleStage(), list[str]()
    other.setup(Context(Show(console=str(hall.port)), Metrics(), note=notes.append, now_ns=1))
    assert len(notes) == 1
    assert f"--console 127.0.0.1:{hall.port}" in notes[0]
    assert other.step(Inputs(controls=[Set(name="motion", value=1.0)]), 1) == []
    other.close()


def test_beyond_this_machine_a_token_is_made_and_said_once(hall: Hall) -> None:
    outside = Hall("0.0.0.0")
    try:
        (note,) = outside.notes
        token = note.rpartition("?token=")[2]
        assert len(token) >= 20
        with pytest.raises(Exception, match=r"HTTP 40[13]"):
            outside.open()
        with outside.open(additional_headers={"Authorization": f"Bearer {token}"}) as page:
            assert hear(page, "hello")
    finally:
        outside.stage.close()


def test_who_watches_over_the_show_is_answered_without_a_browser(hall: Hall) -> None:
    answers: list[bytes] = []

    def ask() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{hall.port}/metrics", timeout=20) as answer:
            answers.append(answer.read())

    watcher = threading.Thread(target=ask)
    watcher.start()
    wait_for(lambda: hall.requests(StatusRequest), 20.0)
    hall.link.replies = [StatusReply(status={"rows": [], "elapsed_s": 3.0, "notes": [], "notes_count": 7})]
    hall.step()
    watcher.join(20.0)
    assert b"antiphon_show_seconds 3.0" in answers[0]
    assert b"antiphon_notes_total 7.0" in answers[0]
    assert hall.context.unwanted == INPUTS
