"""The command line and the TOML file, checked before any process starts and turned into one `config.Show`."""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from engines.bundles import find_bundle, read_manifest
from engines.contract import EngineError
from engines.registry import choose, has
from streaming.config import DIALS, LIVE, Links, Show
from streaming.errors import UserError
from streaming.processes import PROCESSES
from streaming.report import check_writable

COMMANDS = ("play", "bench", "doctor", "stage", "set", "keys")
BENCHES = ("latency", "soak", "throughput")
DIRECTIONS = ("both", "video-to-music", "music-to-video")
BACKENDS = ("auto", "torch", "onnxruntime", "tensorrt")
PERFORMERS = ("strings", "keys", "drums", "air", "dance")
MAX_ANTICIPATION_MS = 120.0
MAX_GUIDANCE = 4.0
MAX_TEMPERATURE = 2.0
MAX_SEED = 2**63 - 1
HELP = "see python run_live.py --help"
NO_PICTURES = "the bundle has no animator: of both directions, video-to-music is performed"
EPILOG = """commands:
  play (default)       perform
  doctor               what is here, what would be used, what is missing and how to get it
  bench latency        motion-to-sound of this machine       [--seconds S] [--history]
  bench throughput     step times of every stage             [--seconds S] [--history]
  bench soak           memory and dropouts over a long time  [--minutes M] [--history]
  stage NAME           one stage by hand, on this or another machine
  set [NAME VALUE]     change a live control of the show that runs, or list them
  keys DIR             make the keys for links between machines

exit status: 0 it ran and closed cleanly, 2 bad arguments or unusable inputs (one line says how to fix it), 1 else"""


@dataclass(frozen=True)
class Command:
    """What was asked for.

    Attributes:
        name: one of `COMMANDS`.
        show: the settings of the performance.
        awake: keep the machine's cores from halting meanwhile.
        target: the stage of `stage`, the control of `set`, the folder of `keys`, the benchmark of `bench`.
        seconds: how long a benchmark takes, None for its default.
        history: append the benchmark's result to the history.
        notes: lines for the user.
        value: what `set` sets.
    """

    name: str
    show: Show = field(default_factory=Show)
    awake: bool = False
    target: str = ""
    seconds: float | None = None
    history: bool = False
    notes: tuple[str, ...] = ()
    value: str = ""


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong, as everything else here does."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message, "command line", HELP)


def parse(argv: Sequence[str]) -> Command:
    """Read the command line.

    Raises:
        UserError: for anything that can be seen to be wrong before a process starts.
        SystemExit: after `--help`.
    """
    name, rest = (argv[0], list(argv[1:])) if argv and argv[0] in COMMANDS else ("play", list(argv))
    given = vars(_parser(name).parse_args(rest))
    target, seconds = given.pop("target", ""), given.pop("seconds", None)
    minutes, history = given.pop("minutes", None), given.pop("history", False)
    if name == "keys":
        return Command(name, target=target)
    if name == "set":
        return _set_command(target, **given)
    seconds = _positive(60.0 * minutes, "--minutes") if minutes is not None else seconds
    if seconds is not None:
        _positive(seconds, "--seconds")
    file = given.pop("config", None)
    settings = {**(read_config(file) if file else {}), **given}
    awake = settings.pop("awake", False)
    addresses = settings.pop("address", [])
    links = {**settings.pop("links", {}), **_links(settings, addresses)}
    if name == "bench":
        settings = {"direction": "video-to-music", "record": "", **settings}
    show = _show({**settings, "links": links})
    notes = check(show, name)
    if NO_PICTURES in notes:
        show = msgspec.structs.replace(show, direction="video-to-music")
    return Command(name, show, awake, target, seconds, history, tuple(notes))


def _parser(name: str) -> _Parser:
    parser = _Parser(
        prog="run_live.py" if name == "play" else f"run_live.py {name}",
        description="A camera sees a performer and the machine answers with music; a microphone hears music and the "
        "machine answers with moving pictures grown from one still image. Live.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    if name == "keys":
        parser.add_argument("target", metavar="DIR", help="folder for the keys, made if it does not exist")
        return parser
    if name == "set":
        parser.add_argument("target", metavar="NAME", nargs="?", default="", help=", ".join(LIVE))
        parser.add_argument("value", metavar="VALUE", nargs="?", default=None, help="what it becomes")
        _add_run_dir(parser)
        return parser
    if name == "stage":
        parser.add_argument("target", metavar="NAME", choices=list(PROCESSES), help=", ".join(PROCESSES))
    if name == "bench":
        parser.add_argument("target", metavar="WHICH", choices=BENCHES, help=", ".join(BENCHES))
        parser.add_argument("--seconds", type=float, metavar="S", help="how long")
        parser.add_argument("--minutes", type=float, metavar="M", help="how long")
        parser.add_argument("--history", action="store_true", help="append the result to docs/bench-history.jsonl")
    _add_show(parser)
    return parser


def _add_show(parser: _Parser) -> None:
    add = parser.add_argument
    add("--direction", choices=DIRECTIONS, help="default: both")
    add("--camera", metavar="SOURCE", help="auto | N | FILE | URL | performer[:strings|keys|drums|air|dance][@SEED]")
    add("--speaker", metavar="SINK", help="auto | DEVICE | file:PATH.wav | none")
    add("--microphone", metavar="SOURCE", help="auto | DEVICE | FILE | self | none")
    add("--prior", metavar="IMAGE", help="the still image that the reverse loop animates")
    add("--screen", metavar="SINK", help="auto | window[:MONITOR] | web[:PORT] | file:PATH.mp4 | none")
    add("--bundle", metavar="NAME_OR_DIR", help="what is performed with; default: default")
    add("--backend", choices=BACKENDS, help="the runtime of the networks; default: auto")
    add("--anticipation", metavar="MS", help="auto, or 0 to 120 ms; default: auto")
    add("--duration", type=float, metavar="SECONDS", dest="duration_s", help="default: until Ctrl-C or the file's end")
    add("--record", metavar="DIR", help="where the film is left; none: no film; default: recordings")
    add("--report", metavar="FILE.json", help="write what was measured")
    add("--config", metavar="FILE.toml", help="any of these options; those of the command line win")
    add("--seed", type=int, metavar="N", help="where all randomness starts; default: 0")
    add("--temperature", type=float, metavar="T", help="0 to 2: how freely tokens are chosen; default: 0.4")
    add("--voice", metavar="NAME", help="auto (as it is played), or one of the bundle's voices: strings, keys, drums …")
    add(
        "--guidance",
        type=float,
        metavar="G",
        help="0 to 4: how much what is seen counts, 1 as it was learned; default: 1.5",
    )
    add("--imagination", type=float, metavar="I", help="0 (the prior moved, nothing else) to 1 (free); default: 0.25")
    add("--motion", type=float, metavar="M", help="0 to 4: how far the picture moves; default: 1")
    add("--anchoring", type=float, metavar="A", help="0.05 to 10: how fast it comes back to the prior; default: 1.2")
    add("--quiet", action="store_true", help="a plain line every 5 s in place of the live table")
    add("--awake", action="store_true", help="keep the cores from halting (idle machines wake up late)")
    _add_run_dir(parser)
    add("--keys", metavar="DIR", help="keys for links between machines, made by: run_live.py keys DIR")
    add("--address", metavar="STAGE=tcp://HOST:PORT", action="append", help="a stage reached over a network")
    add("--allow-remote", action="store_true", help="permit binding beyond loopback")


def _add_run_dir(parser: _Parser) -> None:
    parser.add_argument(
        "--run-dir", metavar="DIR", help="folder of the sockets; a second performance at once needs its own"
    )


def _set_command(name: str, value: str | None, run_dir: str = "") -> Command:
    if name and value is None:
        raise UserError("has no value", f"set {name}", "write set NAME VALUE, or set alone to see them all")
    if name == "prior" and value:
        value = os.path.abspath(value)
    return Command("set", Show(links=Links(run_dir=run_dir)), target=name, value=value or "")


def _links(settings: dict[str, Any], addresses: Sequence[str]) -> dict[str, Any]:
    """Take the options of the links out of `settings`."""
    links: dict[str, Any] = {
        name: settings.pop(name) for name in ("run_dir", "keys", "allow_remote") if name in settings
    }
    for pair in addresses:
        stage, _, address = pair.partition("=")
        if not address.startswith(("tcp://", "ipc://")):
            raise UserError(
                "is not STAGE=tcp://HOST:PORT", f"--address {pair}", "for example motion=tcp://10.0.0.2:5001"
            )
        links.setdefault("addresses", {})[stage] = address
    return links


def read_config(file: str) -> dict[str, Any]:
    """The settings of a TOML file: the long options' names without the dashes, and a table `[links]`.

    Raises:
        UserError: when it cannot be read, or says something unknown.
    """
    try:
        with open(file, "rb") as opened:
            raw = tomllib.load(opened)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", file, "give --config a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not TOML ({error})", file, "correct it") from error
    settings = {name.replace("-", "_"): value for name, value in raw.items()}
    if "duration" in settings:
        settings["duration_s"] = settings.pop("duration")
    known = {entry.name for entry in msgspec.structs.fields(Show)} | {"awake", "run_dir", "keys", "allow_remote"}
    unknown = sorted(set(settings) - known)
    if unknown:
        names = sorted(name.removesuffix("_s").replace("_", "-") for name in known)
        raise UserError(f"unknown setting {unknown[0]!r}", file, f"known are {', '.join(names)}")
    if not isinstance(settings.get("awake", False), bool):
        raise UserError("awake is true or false", file, "correct it")
    if not isinstance(settings.get("links", {}), dict):
        raise UserError("links is a table", file, "write it as [links]")
    return settings


def _show(settings: dict[str, Any]) -> Show:
    for name in ("camera", "speaker", "microphone", "anticipation"):
        value = settings.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            settings[name] = str(value)
    if settings.get("record") == "none":
        settings["record"] = ""
    if settings.get("prior"):
        settings["prior"] = os.path.abspath(settings["prior"])
    try:
        return msgspec.convert(settings, Show)
    except msgspec.ValidationError as error:
        raise UserError(f"a setting is of the wrong kind ({error})", "settings", HELP) from error


def check(show: Show, command: str = "play") -> list[str]:
    """Check everything that can be checked cheaply; gives lines for the user.

    Raises:
        UserError: for the first thing that is wrong.
    """
    _check_choice(show.direction, DIRECTIONS, "--direction")
    _check_choice(show.backend, BACKENDS, "--backend")
    try:
        choose(show.backend, show.bundle)
    except EngineError as error:
        raise UserError(str(error), f"--backend {show.backend}", "or leave it out") from error
    if show.duration_s is not None:
        _positive(show.duration_s, "--duration")
    _in_range(show.seed, 0, MAX_SEED, "--seed")
    check_live(show)
    _check_camera(show.camera)
    _check_speaker(show.speaker)
    _check_screen(show.screen)
    _check_microphone(show)
    if os.sep in show.bundle and not Path(show.bundle).is_dir():
        raise UserError(
            "there is no such folder", show.bundle, "give --bundle a bundle's folder, or a shipped one's name"
        )
    _check_links(show.links)
    if command in ("play", "bench"):
        if show.report:
            check_writable(show.report, "--report")
        if show.record:
            _check_folder(show.record)
    return _check_pictures(show, command)


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
    _check_file(show.prior, "--prior", "an image")
    _check_voice(show)


def turned(show: Show, name: str, value: str) -> Show:
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
        if has("animator", show.bundle):
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
    if not name:
        raise UserError("names nothing", "--microphone", "use auto, a device, a sound file, self or none")
    path = name.removeprefix("file:")
    if path != name or os.sep in name:
        _check_file(path, "--microphone", "an audio file")


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


def _check_camera(camera: str) -> None:
    kind, _, rest = camera.partition(":")
    if camera == "auto" or camera.isdigit() or "://" in camera:
        return
    if kind.partition("@")[0] == "performer":
        style, _, seed = (rest if rest else kind.removeprefix("performer")).partition("@")
        if style and style not in PERFORMERS:
            raise UserError(
                f"there is no performer {style!r}", f"--camera {camera}", f"use one of {', '.join(PERFORMERS)}"
            )
        if "@" in camera and not seed.isdigit():
            raise UserError(f"{seed!r} is no seed", f"--camera {camera}", "write a whole number after the @")
        return
    _check_file(camera, "--camera", "a webcam's number, a video file, a URL or performer")


def _check_speaker(speaker: str) -> None:
    if speaker.startswith("file:"):
        path = speaker.removeprefix("file:")
        if not path.lower().endswith(".wav"):
            raise UserError("is no .wav file", f"--speaker {speaker}", "write file:PATH.wav")
        check_writable(path, "--speaker")
    elif not speaker:
        raise UserError("names nothing", "--speaker", "use auto, a device, file:PATH.wav or none")


def _check_screen(screen: str) -> None:
    kind, _, number = screen.partition(":")
    if screen in ("auto", "none") or (kind in ("window", "web") and (number.isdigit() or screen == kind)):
        return
    path = screen.removeprefix("file:")
    if path == screen or not path.lower().endswith(".mp4"):
        fix = "use auto, window[:MONITOR], web[:PORT], file:PATH.mp4 or none"
        raise UserError("is no screen", f"--screen {screen}", fix)
    check_writable(path, "--screen")


def _check_file(path: str, option: str, wanted: str) -> None:
    if not path:
        return
    file = Path(path)
    if not file.exists():
        raise UserError("there is no such file", path, f"give {option} {wanted}")
    if file.is_dir():
        raise UserError("is a folder", path, f"give {option} {wanted}")
    if not os.access(file, os.R_OK):
        raise UserError("may not be read", path, f"give yourself the right to read it, or give {option} another")
    if file.is_file() and file.stat().st_size == 0:
        raise UserError("is empty", path, f"give {option} {wanted}")


def _check_folder(record: str) -> None:
    folder = Path(record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "give --record a folder that you may write to, or none"
        raise UserError(f"cannot be recorded into ({error.strerror})", record, fix) from error


def _check_links(links: Links) -> None:
    if links.addresses and not links.keys:
        raise UserError(
            "links between machines need keys", "--address", "make them with run_live.py keys DIR, give --keys DIR"
        )
    if links.keys and not (Path(links.keys) / "antiphon.key_secret").is_file():
        raise UserError("there are no keys", links.keys, f"make them: python run_live.py keys {links.keys}")


def _positive(value: float, option: str) -> float:
    if not math.isfinite(value) or value <= 0:
        raise UserError("must be more than 0", f"{option} {value:g}", "give seconds, for example 60")
    return value


def _in_range(value: float, low: float, high: float, option: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise UserError(f"must be {low:g} to {high:g}", f"{option} {value:g}", "give another")
