"""What a show may be: every setting checked before any process starts, and the live controls again when they turn."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from engines.bundles import find_bundle, read_manifest
from engines.contract import EngineError
from engines.registry import check_backend, has_network
from streaming.errors import UserError
from streaming.settings.config import DIALS, LIVE, Links, Show
from streaming.settings.device_checks import check_devices, check_files
from streaming.system.files import check_input

DIRECTIONS = ("both", "video-to-music", "music-to-video")
BACKENDS = ("auto", "torch", "onnxruntime", "tensorrt")
MAX_ANTICIPATION_MS = 120.0
MAX_GUIDANCE = 4.0
MAX_TEMPERATURE = 2.0
MAX_SEED = 2**63 - 1
NO_PICTURES = "the bundle has no animator: of both directions, video-to-music is performed"


def check(show: Show, command: str = "play", config: str = "") -> list[str]:
    """Check everything that can be checked cheaply; gives lines for the user.

    Args:
        show: the settings.
        command: of the command line.
        config: the TOML file that some of the settings came from.

    Raises:
        UserError: for the first thing that is wrong.
    """
    _check_choice(show.direction, DIRECTIONS, "--direction")
    _check_choice(show.backend, BACKENDS, "--backend")
    try:
        instead = check_backend(show.backend)
    except EngineError as error:
        raise UserError(str(error), f"--backend {show.backend}", "or leave it out") from error
    if show.duration_s is not None:
        positive(show.duration_s, "--duration")
    _in_range(show.seed, 0, MAX_SEED, "--seed")
    check_live(show)
    check_devices(show)
    _check_microphone(show)
    if os.sep in show.bundle and not Path(show.bundle).is_dir():
        raise UserError(
            "there is no such folder", show.bundle, "give --bundle a bundle's folder, or a shipped one's name"
        )
    _check_links(show.links)
    if command in ("play", "bench"):
        check_files(show, config)
    return [*([f"--backend {show.backend}: {instead}"] if instead else []), *_check_pictures(show, command)]


def check_live(show: Show) -> None:
    """Check the live controls.

    Raises:
        UserError: for the first one that is wrong.
    """
    _in_range(show.temperature, 0.0, MAX_TEMPERATURE, "--temperature")
    _in_range(show.guidance, 0.0, MAX_GUIDANCE, "--guidance")
    for name, (low, high) in DIALS.items():
        _in_range(getattr(show, name), low, high, f"--{name}")
    _check_anticipation(show.anticipation)
    if show.prior:
        check_input(show.prior, "--prior", "an image")
    _check_voice(show)


def with_control(show: Show, name: str, value: str) -> Show:
    """The settings with one live control changed.

    Args:
        show: the settings.
        name: one of `LIVE`.
        value: as it would be written after the option of that name.

    Raises:
        UserError: when there is no such control, or the value is none for it.
    """
    if name not in LIVE:
        raise UserError("is no live control", name, f"use one of {', '.join(LIVE)}")
    kind = type(getattr(Show(), name))
    try:
        changed = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise UserError("is no number", f"--{name} {value}", "give one") from error
    show = msgspec.structs.replace(show, **{name: changed})
    check_live(show)
    return show


def _check_voice(show: Show) -> None:
    if show.voice == "auto":
        return
    try:
        there = read_manifest(find_bundle(show.bundle))["networks"]
    except EngineError:
        return  # said in one line by whoever opens the bundle
    names = [str(name) for name in there.get("translator", {}).get("config", {}).get("voice_names", ())]
    if show.voice not in names:
        known = ", ".join(["auto", *names])
        raise UserError("is no voice of the bundle", f"--voice {show.voice}", f"use one of {known}")


def _check_pictures(show: Show, command: str) -> list[str]:
    """Whether the bundle can make pictures, where some are asked for."""
    if show.direction == "video-to-music" or command not in ("play", "bench"):
        return []
    try:
        if has_network("animator", show.bundle):
            return []
    except EngineError:
        return []  # said in one line by whoever opens the bundle
    if show.direction == "both":
        return [NO_PICTURES]
    raise UserError(
        "has no animator", f"--bundle {show.bundle}", "use a bundle with one, or --direction video-to-music"
    )


def _check_microphone(show: Show) -> None:
    name = show.microphone
    if name == "self" and show.direction == "music-to-video":
        fix = "use --direction both, or another --microphone"
        raise UserError("nothing is played that could be heard", "--microphone self", fix)


def _check_choice(value: str, choices: Sequence[str], option: str) -> None:
    if value not in choices:
        raise UserError("is not known", f"{option} {value}", f"use one of {', '.join(choices)}")


def _check_anticipation(text: str) -> None:
    if text == "auto":
        return
    try:
        value = float(text)
    except ValueError as error:
        fix = f"use auto, or 0 to {MAX_ANTICIPATION_MS:g} ms"
        raise UserError("is no number of milliseconds", f"--anticipation {text}", fix) from error
    _in_range(value, 0.0, MAX_ANTICIPATION_MS, "--anticipation")


def _check_links(links: Links) -> None:
    if links.addresses and not links.keys:
        raise UserError(
            "links between machines need keys", "--address", "make them with run_live.py keys DIR, give --keys DIR"
        )
    if links.keys and not (Path(links.keys) / "antiphon.key_secret").is_file():
        raise UserError("there are no keys", links.keys, f"make them: python run_live.py keys {links.keys}")


def positive(value: float, option: str) -> float:
    """A length of time in seconds as it is.

    Raises:
        UserError: when it is none.
    """
    if not math.isfinite(value) or value <= 0:
        raise UserError("must be more than 0", f"{option} {value:g}", "give seconds, for example 60")
    return value


def _in_range(value: float, low: float, high: float, option: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"must be {low:g} to {high:g}", f"{option} {value:g}", "give another")
