"""Where OSC and the console listen: this machine alone, unless others may connect; and the console's token."""

from __future__ import annotations

import pytest

from streaming.errors import UserError
from streaming.settings.network_place import page_address
from streaming.settings.options import parse


def test_by_default_both_are_on_and_a_bench_has_neither() -> None:
    show = parse(["--record", "none", "--direction", "video-to-music"]).show
    assert (show.osc, show.console, show.console_token) == ("8421", "8420", "")
    bench = parse(["bench", "latency"]).show
    assert (bench.osc, bench.console) == ("", "")
    assert parse(["--record", "none", "--console", "off", "--osc", "off"]).show.console == ""


@pytest.mark.parametrize("option", ["--console", "--osc"])
def test_other_machines_are_let_in_only_when_that_is_meant(option: str) -> None:
    with pytest.raises(UserError, match="give --allow-remote too"):
        parse(["--record", "none", option, "192.168.1.20:9000"])
    good = parse(["--record", "none", "--console-token", "a-word-that-nobody-guesses"])
    assert good.show.console_token == "a-word-that-nobody-guesses"


@pytest.mark.parametrize("option", ["camera", "microphone", "screen", "speaker"])
def test_a_browser_is_a_device_only_where_the_console_serves_its_page(option: str) -> None:
    given = ["--record", "none", f"--{option}", "browser"]
    assert parse(given).show.browser_devices == (option,)
    with pytest.raises(UserError, match=f"--{option} browser: needs the console; give --console a port"):
        parse([*given, "--console", "off"])


def test_the_picture_is_a_page_only_where_there_is_a_console() -> None:
    given = ["--record", "none", "--screen", "web"]
    assert parse(given).show.screen == "web"
    with pytest.raises(UserError, match="--screen web: needs the console; give --console a port"):
        parse([*given, "--console", "off"])


def test_the_address_of_a_page_is_one_that_a_browser_takes() -> None:
    assert page_address("127.0.0.1", 8420, encrypted=False) == "http://127.0.0.1:8420/"
    assert page_address("fe80::1", 8420, encrypted=True) == "https://[fe80::1]:8420/"
