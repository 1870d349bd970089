"""Link: the session's tempo becomes the show's, a hand's becomes the session's, and nothing goes round in circles."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.errors import UserError
from streaming.remote.show_control.tempo.link_session import LinkSession
from streaming.remote.show_control.tempo.link_stage import LinkStage
from streaming.schema.messages import Set, Speaker
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS, ControlSpec
from streaming.settings.setting import SOUNDING
from streaming.stage import Context, Inputs
from streaming.telemetry.metrics import Metrics
from tests.unit.streaming.remote.test_osc_stage import FakeLink

S = 1_000_000_000
TEMPO = ControlSpec(
    name="tempo", group=SOUNDING, words="", stages=("flow",), low=40.0, high=240.0, default="auto", choices=("auto",)
)


@pytest.fixture(autouse=True)
def tempo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tempo of this range, whatever the table has."""
    monkeypatch.setitem(CONTROLS, "tempo", TEMPO)


class FakeSession:
    """A session that a test leads."""

    def __init__(self) -> None:
        self.bpm, self.others, self.set, self.is_closed = 120.0, 0, list[float](), False

    def tempo(self) -> float:
        return self.bpm

    def set_tempo(self, tempo: float) -> None:
        self.bpm = tempo
        self.set.append(tempo)

    def peers(self) -> int:
        return self.others

    def phase(self, at_ns: int) -> float:
        return at_ns / 1e9 * self.bpm / 60 % 4.0

    def close(self) -> None:
        self.is_closed = True


class Band:
    """A stage in a session."""

    def __init__(self) -> None:
        self.session, self.link, self.notes, self.metrics = FakeSession(), FakeLink(), list[str](), Metrics()
        self.stage = LinkStage(lambda: self.session, lambda *_: self.link)  # type: ignore[arg-type]
        self.context = Context(Show(link=True), self.metrics, note=self.notes.append, now_ns=S)
        self.stage.setup(self.context)

    def step(self, tempo: float | str | None = None, **messages: Any) -> None:
        controls = [] if tempo is None else [Set(name="tempo", value=tempo)]
        self.stage.step(Inputs(messages, controls=controls), S)

    def asked(self) -> list[float]:
        return [float(one.value) for one in self.link.requests if one.name == "tempo"]


def test_the_sessions_tempo_is_the_shows() -> None:
    band = Band()
    band.step()
    assert band.asked() == [], "alone there is no session"
    band.session.others = 2
    band.step()
    band.step()
    band.session.bpm = 97.504
    band.step()
    band.step(97.5)
    band.step()
    assert band.asked() == [120.0, 97.5]
    assert band.session.set == [], "what the show was told is not told back"
    assert band.notes == ["Ableton Link: 2 other programs"]
    band.stage.close()
    assert band.session.is_closed
    assert band.link.is_closed


def test_a_hands_tempo_is_the_sessions() -> None:
    band = Band()
    band.session.others = 1
    band.step()
    band.step(90.0)
    band.step()
    band.step("auto")
    band.session.bpm = 300.0
    band.step()
    assert band.session.set == [90.0]
    assert band.asked() == [120.0]


def test_the_beat_is_that_of_the_moment_at_which_the_tick_is_heard() -> None:
    band = Band()
    band.step(speaker=[Speaker(tick=1, dac_ns=round(1.5 * S))])
    assert band.metrics.take("link").gauges["link_beat"] == pytest.approx(3.0)


def test_without_the_package_one_line_says_how_to_get_it() -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    notes: list[str] = []
    stage = LinkStage(lambda: LinkSession(missing), lambda *_: FakeLink())  # type: ignore[arg-type]
    context = Context(Show(link=True), Metrics(), note=notes.append)
    stage.setup(context)
    assert stage.step(Inputs(), S) == []
    stage.close()
    assert context.info["device"] == "none"
    assert notes == [
        "no Ableton Link: --link: LinkPython-extern cannot be loaded (link); "
        'install it: pip install -e ".[link]"; or leave --link out'
    ]
    with pytest.raises(UserError):
        LinkSession(missing)


def test_the_packages_calls_are_those_of_its_documentation() -> None:
    """A stand-in with the names of LinkPython-extern 1.3, whose clock is 5 s ahead."""

    class State:
        bpm = 120.0

        def tempo(self) -> float:
            return self.bpm

        def setTempo(self, tempo: float, at_us: int) -> None:  # noqa: N802
            assert at_us == 6_000_000
            State.bpm = tempo

        def phaseAtTime(self, at_us: int, quantum: float) -> float:  # noqa: N802
            return at_us / 1e6 % quantum

    class Package:
        enabled = False

        def __init__(self, tempo: float) -> None:
            assert tempo == 120.0

        Link = property(lambda self: Package)

        def clock(self) -> Any:
            return type("Clock", (), {"micros": staticmethod(lambda: 6_000_000)})

        def captureSessionState(self) -> State:  # noqa: N802
            return State()

        def commitSessionState(self, state: State) -> None:  # noqa: N802
            self.committed = state

        def numPeers(self) -> int:  # noqa: N802
            return 3

    session = LinkSession(lambda name: Package(120.0) if name == "link" else None, lambda: S)
    session.set_tempo(99.0)
    assert (session.tempo(), session.peers()) == (99.0, 3)
    assert session.phase(2 * S) == pytest.approx(3.0)
    session.close()
