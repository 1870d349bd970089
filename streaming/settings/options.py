"""The command line and the TOML file, checked before any process starts and turned into one `config.Show`."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgspec

from streaming.errors import UserError
from streaming.schema.device_kinds import CAMERA, MICROPHONE, SCREEN, SPEAKER
from streaming.schema.processes import PROCESSES
from streaming.settings.config import LIVE, Links, Show
from streaming.settings.validation import BACKENDS, DIRECTIONS, NO_PICTURES, check, positive

COMMANDS = ("play", "bench", "doctor", "stage", "set", "keys")
BENCHES = ("latency", "soak", "throughput", "backends", "engines")
HELP = "see python run_live.py --help"
EPILOG = """commands:
  play (default)       perform
  doctor               what is here, what would be used, what is missing and how to get it
  bench latency        motion-to-sound of this machine       [--seconds S] [--history]
  bench throughput     step times of every stage             [--seconds S] [--history]
  bench soak           memory and dropouts over a long time  [--minutes M] [--history]
  bench backends       a show on each runtime, in turns      [--seconds S] [--history]
  bench engines        every network on every runtime here   [--seconds S] [--out DIR] [--history] [--compiled]
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
        out: the folder in which `bench engines` leaves its table.
        compiled: `bench engines` has torch.compile too where there is no GPU.
    """

    name: str
    show: Show = field(default_factory=Show)
    awake: bool = False
    target: str = ""
    seconds: float | None = None
    history: bool = False
    notes: tuple[str, ...] = ()
    value: str = ""
    out: str = "recordings"
    compiled: bool = False


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
    out, compiled = given.pop("out", Command.out), given.pop("compiled", False)
    if name == "keys":
        return Command(name, target=target)
    if name == "set":
        return _set_command(target, **given)
    seconds = positive(60.0 * minutes, "--minutes") if minutes is not None else seconds
    if seconds is not None:
        positive(seconds, "--seconds")
    file = given.pop("config", None)
    settings = {**(read_config(file) if file else {}), **given}
    awake = settings.pop("awake", False)
    addresses = settings.pop("address", [])
    links = {**settings.pop("links", {}), **_links(settings, addresses)}
    if name == "bench":
        settings = {"direction": "video-to-music", "record": "", **settings}
    show = _show({**settings, "links": links})
    notes = check(show, name, file or "")
    if NO_PICTURES in notes:
        show = msgspec.structs.replace(show, direction="video-to-music")
    return Command(name, show, awake, target, seconds, history, tuple(notes), out=out, compiled=compiled)


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
        parser.add_argument("--out", metavar="DIR", help="where engines leaves its table; default: recordings")
        compiled = "engines: torch.compile too without a GPU, half a minute a network"
        parser.add_argument("--compiled", action="store_true", help=compiled)
    _add_show(parser)
    return parser


def _add_show(parser: _Parser) -> None:
    add = parser.add_argument
    add("--direction", choices=DIRECTIONS, help="default: both")
    add("--camera", metavar="SOURCE", help=CAMERA.usage())
    add("--speaker", metavar="SINK", help=SPEAKER.usage())
    add("--microphone", metavar="SOURCE", help=MICROPHONE.usage())
    add("--prior", metavar="IMAGE", help="the still image that the reverse loop animates")
    add("--screen", metavar="SINK", help=SCREEN.usage())
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
    add("--chance", type=float, metavar="C", help="0 (what is likeliest to be seen) to 1 (a show's chance); default: 1")
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
