"""What is said of the machine, and of the time that its host took."""

from __future__ import annotations

from collections import namedtuple

import psutil
import pytest

from streaming.machine import StolenTime, describe_host

Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")


def test_the_host_is_described() -> None:
    host = describe_host()
    assert host["cpu"]
    assert host["cores"] >= 1


def test_stolen_time_is_the_share_since_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(50, 0, 10, 40, 0, 0, 0, 7, 30, 0))
    stolen = StolenTime()
    assert stolen.percent() is None, "no time has passed"
    monkeypatch.setattr(psutil, "cpu_times", lambda: Times(100, 0, 20, 75, 0, 0, 0, 12, 60, 0))
    assert stolen.percent() == pytest.approx(5.0)


def test_where_nothing_is_told_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: namedtuple("Times", "user nice system idle")(1, 0, 1, 1))
    assert StolenTime().percent() is None
