"""OSC addresses derive from the table of controls, and whatever is no OSC is refused in one way."""

from __future__ import annotations

import random

import pytest

from streaming.errors import SettingError
from streaming.remote.osc_messages import (
    MAX_BYTES,
    MAX_MESSAGES,
    OscCall,
    control_of,
    latest_calls,
    pack,
    pack_bundle,
    pack_control,
    read_packet,
)
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_travels_there_and_back(name: str) -> None:
    row = CONTROLS[name]
    value = Show().controls[name] if row.kind != "number" else row.high
    calls = read_packet(pack_control(name, value))
    assert calls == [OscCall(f"/antiphon/{name}", (pytest.approx(value) if row.kind == "number" else value,))]
    found, text = control_of(calls[0])
    assert found == name
    assert row.read(text) == pytest.approx(value)


def test_values_have_the_types_that_osc_programs_send() -> None:
    for value, text in ((2, "2.0"), (2.0, "2.0"), (True, "1.0"), ("auto", "auto")):
        name = "anticipation" if value == "auto" else "motion"
        assert control_of(OscCall(f"/antiphon/{name}", (value,))) == (name, text)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (OscCall("/antiphon/tempreture", (1.0,)), "did you mean temperature"),
        (OscCall("/antiphon/motion", ()), "0 values"),
        (OscCall("/antiphon/motion", (1.0, 2.0)), "2 values"),
        (OscCall("/antiphon/motion", (5.0,)), "0 to 4"),
        (OscCall("/antiphon/motion", (float("nan"),)), "motion"),
        (OscCall("/antiphon/motion", (b"blob",)), "type bytes"),
        (OscCall("/antiphon/motion", ([1.0],)), "type list"),
        (OscCall("/elsewhere", (1.0,)), "no control"),
    ],
)
def test_what_no_control_takes_is_refused_in_words(call: OscCall, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        control_of(call)


def test_a_bundle_has_a_time_and_its_messages_in_order() -> None:
    bundle = pack_bundle([pack("/antiphon/out/onset", 0.5), pack("/antiphon/out/position", 7)], 1_700_000_000.25)
    seconds, part = int.from_bytes(bundle[8:12], "big"), int.from_bytes(bundle[12:16], "big")
    assert seconds - 2_208_988_800 + part / 2**32 == pytest.approx(1_700_000_000.25, abs=1e-4)
    assert read_packet(bundle) == [OscCall("/antiphon/out/onset", (0.5,)), OscCall("/antiphon/out/position", (7,))]


def test_no_datagram_whatever_is_anything_but_read_or_refused() -> None:
    rng = random.Random(0)
    good = [pack_control("motion", 1.5), pack_bundle([pack("/antiphon/voice", "keys")] * 3, 1.0)]
    read = 0
    for _ in range(20_000):
        data = bytearray(rng.choice(good)) if rng.random() < 0.7 else bytearray(rng.randbytes(rng.randrange(80)))
        for _ in range(rng.randrange(4)):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read += len(read_packet(bytes(data[: rng.randrange(len(data) + 1)])))
        except ValueError:
            continue
    assert read > 1_000


def test_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        read_packet(bytes(MAX_BYTES + 1))
    with pytest.raises(ValueError, match="messages"):
        read_packet(pack_bundle([pack("/antiphon/motion", 1.0)] * (MAX_MESSAGES + 1), 1.0))
    nested = bytes(pack("/antiphon/motion", 1.0).dgram)
    while len(nested) < MAX_BYTES - 40:
        nested = b"#bundle\0" + bytes(8) + len(nested).to_bytes(4, "big") + nested
    try:
        assert len(read_packet(nested)) <= 1
    except ValueError as error:
        assert "not OSC" in str(error)  # noqa: PT017 - either is right: what matters is that nothing else is raised


def test_a_slider_asks_once() -> None:
    calls = [("motion", "1"), ("volume", "0"), ("motion", "2"), ("motion", "3")]
    assert latest_calls(calls) == [("volume", "0"), ("motion", "3")]
