"""The bundle of a show that runs is changed: the music goes on with other networks after a short gap."""

from __future__ import annotations

import re

import pytest

from streaming.commands.control_client import request_control
from streaming.devices.films.take_file import Take
from streaming.errors import UserError
from streaming.settings.config import Links
from tests.live.place import ShowFolder, output_of, wait_for

pytestmark = [pytest.mark.live, pytest.mark.faults]
MOST_CONCEALED = 25
"""Ticks without tokens at a change: a second. Two cores that also do other things take longer than their own."""


def test_another_bundle_takes_over_while_the_show_runs(stage: ShowFolder) -> None:
    links = Links(run_dir=str(stage.run_dir))
    arguments = ("--camera", "performer:keys@2", *output_of(stage), "--duration", "600")
    with stage.begin(*arguments) as show:
        wait_for(stage.sounding)
        with pytest.raises(UserError, match="set bundle nowhere"):
            request_control(links, "bundle", "nowhere")
        before = {name: stage.pid_of(name) for name in ("tokens", "sound", "speaker")}
        (line,) = request_control(links, "bundle", "spectrogram")
        assert re.fullmatch(r"bundle is now spectrogram \(prepared in [0-9.]+ s, changed in [0-9]+ ms\)", line)
        after = {name: stage.pid_of(name) for name in before}
        assert after["speaker"] == before["speaker"]
        assert after["tokens"] != before["tokens"]
        assert after["sound"] != before["sound"]
        size = (stage.folder / "out.wav").stat().st_size
        wait_for(lambda: (stage.folder / "out.wav").stat().st_size > size + 100_000)
        wait_for(lambda: len(list((stage.folder / "films").glob("*.take"))) == 2)
        show.terminate()
        _, errors = show.communicate(timeout=60)
    assert show.returncode == 0, errors
    report = stage.report()
    assert line in report["notes"]
    assert {name: one["restarts"] for name, one in report["stages"].items() if one["restarts"]} == {}
    assert report["ticks"]["concealed_after_first_second"] <= MOST_CONCEALED
    takes = [Take(path) for path in sorted((stage.folder / "films").glob("*.take"))]
    assert [take.header.bundle for take in takes] == ["default", "spectrogram"]
    assert takes[0].header.sound != takes[1].header.sound
