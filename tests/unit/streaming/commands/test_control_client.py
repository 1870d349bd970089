"""A live control of a show that runs: the wish arrives, the answer comes back, and where no show is that is said."""

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
def supervised(folder: Path, answer: ControlReply | None) -> Iterator[list[Report]]:
    """Somebody who answers every wish the same, or not at all."""
    heard: list[Report] = []
    over = threading.Event()
    (folder / "lock").touch()
    with closing(ControlHub(address_of(Links(run_dir=str(folder)), CONTROL))) as hub:

        def serve() -> None:
            while not over.is_set():
                for identity, report in hub.poll(20):
                    heard.append(report)
                    if answer is not None:
                        hub.send(identity, answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        over.set()
        thread.join()


def test_a_wish_is_answered(tmp_path: Path) -> None:
    with supervised(tmp_path, ControlReply(lines=["motion is now 2.0"])) as heard:
        assert request_control(Links(run_dir=str(tmp_path)), "motion", "2") == ["motion is now 2.0"]
    assert isinstance(heard[0], ControlRequest)
    assert (heard[0].name, heard[0].value) == ("motion", "2")


def test_a_refusal_is_the_users_error(tmp_path: Path) -> None:
    parts = ["must be 0 to 4", "--motion 9", "give another"]
    with supervised(tmp_path, ControlReply(lines=parts, refused=True)), pytest.raises(UserError) as caught:
        request_control(Links(run_dir=str(tmp_path)), "motion", "9")
    assert str(caught.value) == "--motion 9: must be 0 to 4; give another"


def test_where_no_show_runs_that_is_said(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="no show runs here"):
            request_control(Links(run_dir=str(folder)))
    with supervised(tmp_path, None), pytest.raises(UserError, match="does not answer"):
        request_control(Links(run_dir=str(tmp_path)), patience_s=0.3)
