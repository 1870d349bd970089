"""A live control of a show that runs: the request arrives, the reply comes back, and a missing show is said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from streaming.commands.control_client import request_control
from streaming.errors import UserError
from streaming.schema.messages import ControlReply, ControlRequest, Report
from streaming.settings.config import Links
from streaming.transport.bus import ControlHub
from streaming.transport.links import CONTROL, address_of


@contextmanager
def supervised(folder: Path, reply: ControlReply | None) -> Iterator[list[Report]]:
    """A supervisor that gives every request the same reply, or none."""
    received: list[Report] = []
    over = threading.Event()
    (folder / "lock").touch()
    with closing(ControlHub(address_of(Links(run_dir=str(folder)), CONTROL))) as hub:

        def serve() -> None:
            while not over.is_set():
                for identity, report in hub.poll(20):
                    received.append(report)
                    if reply is not None:
                        hub.send(identity, reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield received
        over.set()
        thread.join()


def test_a_request_gets_its_reply(tmp_path: Path) -> None:
    with supervised(tmp_path, ControlReply(lines=["motion is now 2.0"])) as received:
        assert request_control(Links(run_dir=str(tmp_path)), "motion", "2") == ["motion is now 2.0"]
    assert isinstance(received[0], ControlRequest)
    assert (received[0].name, received[0].value) == ("motion", "2")


def test_a_refusal_is_the_users_error(tmp_path: Path) -> None:
    parts = ["must be 0 to 4", "--motion 9", "give another"]
    with supervised(tmp_path, ControlReply(lines=parts, refused=True)), pytest.raises(UserError) as caught:
        request_control(Links(run_dir=str(tmp_path)), "motion", "9")
    assert str(caught.value) == "--motion 9: must be 0 to 4; give another"


def test_where_no_show_runs_that_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / ("n" * 300)):
        with pytest.raises(UserError, match="no show runs here"):
            request_control(Links(run_dir=str(folder)))
    with supervised(tmp_path, None), pytest.raises(UserError, match="does not answer"):
        request_control(Links(run_dir=str(tmp_path)), timeout_s=0.3)
