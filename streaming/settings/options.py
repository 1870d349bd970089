"""The command line and the TOML file, checked before any process starts and turned into one `config.Show`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from streaming.errors import SettingError, UserError, shorten
from streaming.schema.processes import PROCESSES
from streaming.settings.bench_options import (
    BENCHES,
    WORDS,
    BenchOptions,
    add_bench_options,
    read_bench_options,
    read_seconds,
)
from streaming.settings.config import Links, Show
from streaming.settings.controls import CONTROLS, list_controls
from streaming.settings.option_rows.option import Option
from streaming.settings.option_table import OPTIONS, SETTINGS, control_value, place
from streaming.settings.setting import GROUPS, Setting, attributed_to, nearest, or_nearest
from streaming.settings.toml_file import in_file, read_config
from streaming.settings.validation import check_show
from streaming.system.files import check_input, check_name, check_output

COMMANDS = ("play", "replay", "bench", "doctor", "stage", "set", "config", "scene", "keys")
HELP = "see python run_live.py --help"
DESCRIPTION = """A live instrument between sight and sound. A camera sees a performer and the machine answers
with music; a microphone hears music and the machine answers with moving pictures grown from one still image.

commands:
  play (default)       perform
  replay TAKE          play a recorded take again, or write its sound    [--out FILE.wav]
  doctor               say what is here, what would be used, what is missing and how to get it
  set                  list the live controls of the show that runs, with their values and ranges
  set NAME VALUE       change one
  config               print a TOML file with every setting, for --config
  bench latency        measure light to sound and sound to light from outside    [--trials N | --quick] [--led]
  bench budget         measure where each millisecond goes        [--seconds S] [--trace FILE]
  bench throughput     measure the step times of every stage      [--seconds S] [--history]
  bench soak           measure memory, drift and dropouts for long    [--hours H | --minutes M] [--virtual]
  bench compare        measure others under the same harness      [--quick]
  bench desks          measure what browsers, OSC and MIDI cost a show, and how soon they act    [--minutes M]
  bench backends       perform on each runtime in turn            [--seconds S] [--history]
  bench engines        time every network on every runtime        [--seconds S] [--out DIR] [--history] [--compiled]
  bench submit         gather this machine's results in one file  [--out DIR]
  stage NAME           run one stage by hand, on this or another machine
  scene IMAGE          show what a prior image is cut into and how it moves    [--out FILE.html|FILE.png]
  keys DIR             make the keys for links between machines"""
DESCRIPTIONS = {
    "play": DESCRIPTION,
    "bench": "Measure this machine.",
    "doctor": "Say what is here, what would be used, what is missing and how to get it.",
    "replay": """Play a take again: the .take file that a show left in its --record folder, or the newest one in a
folder. Its tokens are played as they were; --speaker, --volume and others apply as in a show. With --out
FILE.wav the sound is written in 24 bits instead, as fast as it can be made.""",
    "stage": "Run one stage of a show by hand, on this or another machine, with the show's own options.",
    "set": "Change a live control of the show that runs, or without a name list them all.",
    "config": "Print a TOML file with every setting, its range and its default, for --config.",
    "scene": """Make the scene of a prior image and write a page (.html) or a picture (.png) that shows it: its layers
with their outlines, what holds them, the modes in which they move, and the ground behind them. To correct
it, save a mask beside the image as NAME.mask.png: each grey level or colour a layer, black the ground,
darker layers behind brighter ones.""",
    "keys": "Make the keys for links between machines.",
}
EPILOG = """exit status: 0 it ran and closed cleanly, 2 bad arguments or unusable inputs (one line says how to mend it),
1 any other failure"""
FIRST_VALUES = "\n".join(
    ["the live controls, with the values that a show begins with:", *list_controls(Show().controls)]
)


@dataclass(frozen=True)
class Command:
    """One parsed command line.

    Attributes:
        name: one of `COMMANDS`.
        show: the settings of the performance.
        awake: keep the machine's cores from halting meanwhile.
        target: the stage of `stage`, the control of `set`, the folder of `keys`, the image of `scene`, or the benchmark
            of `bench`.
        seconds: how long a benchmark takes, None for its default.
        history: append the benchmark's result to the history.
        notes: lines for the user.
        value: the new value of `set`.
        out: the folder in which a benchmark leaves its files, or the file that `scene` writes, "" for the default.
        compiled: whether `bench engines` includes torch.compile without a GPU.
        bench: what else was asked of a benchmark.
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
    bench: BenchOptions = field(default_factory=BenchOptions)


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, with a fix."""

    def error(self, message: str) -> NoReturn:
        if match := re.match(r"argument (?P<option>[^:]+): expected (one|at least one) argument", message):
            raise UserError("needs a value", match["option"].split("/")[-1], HELP)
        if match := re.match(r"argument (?P<option>[^:]+): ignored explicit argument (?P<value>.*)", message):
            raise UserError("takes no value", f"{match['option']}={match['value']}", "write it alone")
        if match := re.match(r"the following arguments are required: (?P<names>.*)", message):
            raise UserError(f"{match['names']} is missing", self.prog, HELP)
        raise UserError(message, "command line", HELP)


def parse(argv: Sequence[str]) -> Command:
    """Read the command line.

    Raises:
        UserError: for any fault that is detectable before a process starts.
        SystemExit: after `--help`.
    """
    for word in argv:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise UserError("is not text in UTF-8", shorten(word), "rename the file, and type its new name") from error
    name, rest = (argv[0], list(argv[1:])) if argv and argv[0] in COMMANDS else ("play", list(argv))
    parser = _parser(name)
    namespace, extra_words = parser.parse_known_args(rest)
    if extra_words:
        raise _unknown_word(name, extra_words[0])
    options = vars(namespace)
    if name == "config":
        return Command(name)
    if name == "keys":
        with attributed_to("keys", options["target"]):
            check_name(options["target"], "--keys")
        return Command(name, target=options["target"])
    if name == "scene":
        return _scene_command(options["target"], options.get("out", ""))
    if name == "set":
        return _set_command(options["target"], options["value"], options.get("run_dir", ""))
    _check_target(name, options.get("target", ""))
    if name == "replay":
        return _replay_command(options)
    if "out" in options:
        with attributed_to("out", options["out"]):
            check_name(options["out"], "--out")
    return _show_command(name, options)


def _show_command(name: str, options: dict[str, Any]) -> Command:
    """A command that has the settings of a show."""
    file = str(options.get("config", ""))
    in_config = read_config(file) if "config" in options else {}
    on_command_line = {setting: options[row.field] for setting, row in SETTINGS.items() if row.field in options}
    values: dict[str, Any] = _bench_values(options["target"]) if name == "bench" else {}
    try:
        for setting, value in {**in_config, **on_command_line}.items():
            if value == "":
                wanted = SETTINGS[setting].range_text() or "a value"
                raise SettingError(setting, value, "is empty", f"give {wanted}, or leave it out")
            values[setting] = SETTINGS[setting].read(value)
        if values.get("installation"):
            values.setdefault("record", "none")
        show = Show(**place(values))
        notes = check_show(show, name, file)
    except SettingError as error:
        if error.name in in_config and error.name not in on_command_line:
            raise in_file(error, file, error.name, in_config[error.name]) from error
        raise
    return Command(
        name,
        show,
        bool(values.get("awake", False)),
        options.get("target", ""),
        read_seconds(options),
        options.get("history", False),
        tuple(notes),
        out=options.get("out", Command.out),
        compiled=options.get("compiled", False),
        bench=read_bench_options(options) if name == "bench" else BenchOptions(),
    )


def _bench_values(target: str) -> dict[str, Any]:
    """The settings of a benchmark's show, where they are not those of a performance."""
    direction = "both" if target in ("latency", "budget", "soak", "desks") else "video-to-music"
    return {"direction": direction, "record": "none", "osc": "off", "console": "off"}


def _check_target(name: str, target: str) -> None:
    names = {"bench": BENCHES, "stage": tuple(PROCESSES)}.get(name, ())
    if names and target not in names:
        what = "there is no such benchmark" if name == "bench" else "there is no such stage"
        raise UserError(what, f"{name} {shorten(target)}", or_nearest(target, names))


def _unknown_word(name: str, word: str) -> UserError:
    """The error for a word that is no option, no value and no command."""
    if word.startswith("-"):
        option = word.partition("=")[0]
        of_show, of_bench = {f"--{row}" for row in SETTINGS}, set(WORDS)
        option_names = {
            "set": {"--run-dir"},
            "config": set(),
            "keys": set(),
            "scene": {"--out"},
            "bench": of_show | of_bench,
        }.get(name, of_show)
        if option in of_show | of_bench:
            help_line = HELP if name == "play" else f"see python run_live.py {name} --help"
            return UserError(f"is no option of {name}", option, help_line)
        close = nearest(option.strip("-"), [row.strip("-") for row in sorted(option_names)])
        return UserError("there is no such option", shorten(option), f"did you mean --{close}?" if close else HELP)
    if name == "play" and word in COMMANDS:
        return UserError("a command is the first word", word, f"write python run_live.py {word}, then its options")
    if name == "play":
        return UserError("there is no such command", shorten(word), or_nearest(word, COMMANDS))
    return UserError("is one word too many", shorten(word), HELP)


def _parser(name: str) -> _Parser:
    parser = _Parser(
        prog="run_live.py" if name == "play" else f"run_live.py {name}",
        usage="python run_live.py [COMMAND] [OPTIONS]" if name == "play" else None,
        description=DESCRIPTIONS[name],
        epilog=FIRST_VALUES if name == "set" else EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    if name == "keys":
        parser.add_argument("target", metavar="DIR", help="folder for the keys, made if it does not exist")
    elif name == "scene":
        parser.add_argument("target", metavar="IMAGE", help="the prior image: PNG, JPEG, WebP, TIFF or BMP")
        parser.add_argument("--out", metavar="FILE", help="a .html page or a .png picture; default: NAME.scene.html")
    elif name == "replay":
        parser.add_argument("target", metavar="TAKE", help="a .take file, or a folder of them")
        parser.add_argument("--out", metavar="FILE.wav", help="write the sound, 24 bits, in place of playing it")
    elif name == "set":
        live = ", ".join(row.name for row in CONTROLS.values() if row.live)
        parser.add_argument("target", metavar="NAME", nargs="?", default="", help=live)
        parser.add_argument("value", metavar="VALUE", nargs="?", default=None, help="the new value")
        _add(parser, OPTIONS["run-dir"])
    elif name == "stage":
        parser.add_argument("target", metavar="NAME", help=", ".join(PROCESSES))
    elif name == "bench":
        add_bench_options(parser)
    if name not in ("keys", "set", "config", "scene"):
        for group in GROUPS:
            section = parser.add_argument_group(group)
            for row in SETTINGS.values():
                if row.group == group:
                    _add(section, row)
    return parser


def _add(parser: argparse._ActionsContainer, row: Setting) -> None:
    words = row.sentence().replace("%", "%%")
    if isinstance(row, Option) and row.kind == "flag":
        parser.add_argument(f"--{row.name}", action="store_true", help=words)
    elif isinstance(row, Option) and row.kind in ("pairs", "patch"):
        parser.add_argument(f"--{row.name}", metavar=row.metavar, action="append", help=words)
    else:
        parser.add_argument(f"--{row.name}", metavar=row.metavar, help=words)


def _replay_command(options: dict[str, Any]) -> Command:
    """`replay`: which take, played or written."""
    take, out = options["target"], options.get("out", "")
    with attributed_to("replay", take):
        check_name(take, "replay")
    if out:
        if not out.lower().endswith(".wav"):
            raise UserError("is no sound file", f"--out {shorten(out)}", "give a .wav file")
        check_output(out, "--out")
    command = _show_command("replay", {"record": "none", **options, "direction": "video-to-music"})
    return replace(command, target=take, out=out)


def _scene_command(image: str, out: str) -> Command:
    """`scene`: of which image, and where to."""
    check_input(image, "scene", "an image: a PNG, JPEG or WebP")
    if out:
        if not out.lower().endswith((".html", ".png")):
            raise UserError("is neither a page nor a picture", f"--out {shorten(out)}", "give a .html or a .png file")
        check_output(out, "--out")
    return Command("scene", target=image, out=out)


def _set_command(name: str, value: str | None, run_dir: str) -> Command:
    """`set`: which control gets which value; the show that runs checks it again."""
    live = {row.name: row for row in CONTROLS.values() if row.live}
    if name and name not in (*live, *SETTINGS):
        raise UserError("there is no such control", f"set {shorten(name)}", or_nearest(name, live))
    if name and value is None:
        row = live.get(name) or SETTINGS[name]
        raise UserError("has no value", f"set {name}", f"give {row.range_text()}, for example {row.default_text()}")
    if run_dir:
        with attributed_to("run-dir", run_dir):
            check_name(run_dir, "--run-dir")
    if name in CONTROLS and value is not None:
        value = str(control_value(name, value))
    return Command("set", Show(links=Links(run_dir=run_dir)), target=name, value=value or "")
