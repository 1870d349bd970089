"""Scores a bundle, each figure beside its controls: `python -m training.evaluate EVALUATION`.

The evaluations are forward, frontier, playability, codec, latent, reverse and endurance. `roundtrip VIDEO --out
DIR` turns a video into music, and that music back into pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.bundles import find_bundle
from engines.contract import EngineError
from streaming.errors import UserError
from streaming.settings.controls import CONTROLS
from streaming.settings.option_rows.devices import EYES
from training.bundling import write_scores
from training.evaluation.codec import CodecSounds, evaluate_codec
from training.evaluation.films.footage import FilmFolder, evaluate_footage
from training.evaluation.forward_loop import (
    ANSWER_GUIDANCE,
    ANSWER_TEMPERATURE,
    ResponseSettings,
    evaluate_forward,
)
from training.evaluation.latent import evaluate_latent
from training.evaluation.reverse.evaluation import GROUPS, ReverseMaterial, evaluate_reverse
from training.footage.reader import FootageError
from training.synthesis.sampled.soundfont import SoundfontError


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Attributes:
        name: the figures' key in the bundle's manifest.
        figures: the scores, as JSON values.
        arguments: the command line that repeats it, without paths of this machine.
        write_page: writes the page with plots and players into a folder and returns it; None where there is none.
    """

    name: str
    figures: dict[str, Any]
    arguments: str
    write_page: Callable[[Path], Path] | None = None


def _forward(options: argparse.Namespace) -> Evaluation:
    settings = ResponseSettings(
        options.bundle,
        options.temperature,
        options.anticipation_ms / 1e3,
        options.guidance,
        options.voice,
        options.eyes,
    )
    if isinstance(options.clips, Path):
        folder = FilmFolder(options.clips, options.groups, options.labels)
        figures, responses = evaluate_footage(settings, folder, workers=options.workers)
    elif options.groups or options.labels:
        raise UserError(
            "only films have groups and labels", "--groups or --labels", "name the films' folder with --clips"
        )
    else:
        figures, responses = evaluate_forward(
            settings, options.clips, periodic=options.periodic, workers=options.workers
        )
    footage = isinstance(options.clips, Path)
    arguments = f"forward --clips {'FOLDER' if footage else options.clips} {'--periodic ' * options.periodic}"
    arguments += f"--temperature {options.temperature} --guidance {options.guidance}"
    arguments += f" --anticipation-ms {options.anticipation_ms:g}" * bool(options.anticipation_ms)
    arguments += " --groups FILE" * bool(options.groups) + " --labels FOLDER" * bool(options.labels)

    def page(folder: Path) -> Path:
        from training.evaluation.pages import forward_page

        return forward_page(folder, figures, responses)

    name = "anticipation" if options.periodic else "footage" if footage else "forward"
    return Evaluation(name, figures, arguments, page)


def _frontier(options: argparse.Namespace) -> Evaluation:
    if options.clips is None and not options.performers:
        raise UserError("nothing to score", "--performers 0", "give a number of performers, or films with --clips")
    from training.evaluation.anticipation.frontier import evaluate_frontier
    from training.evaluation.anticipation.frontier_plot import write_frontier

    settings = ResponseSettings(
        options.bundle, options.temperature, guidance=options.guidance, voice=options.voice, eyes=options.eyes
    )
    figures = evaluate_frontier(settings, options.clips, options.performers, options.workers, options.labels)
    if options.plot:
        write_frontier(figures, options.plot)
    arguments = "frontier" + " --clips FOLDER" * bool(options.clips) + f" --performers {options.performers}"
    arguments += f" --temperature {options.temperature} --guidance {options.guidance}"
    return Evaluation("frontier", figures, arguments + " --labels FOLDER" * bool(options.labels))


def _playability(options: argparse.Namespace) -> Evaluation:
    from training.evaluation.films.hands import evaluate_hands

    settings = ResponseSettings(options.bundle, voice=options.voice, eyes=options.eyes)
    return Evaluation(
        "playability", evaluate_hands(settings, options.clips, options.workers), "playability --clips FOLDER"
    )


def _codec(options: argparse.Namespace) -> Evaluation:
    given = CodecSounds(options.clips, options.recordings, options.soundfont, options.corpus)
    figures, sounds = evaluate_codec(options.bundle, given)

    def page(folder: Path) -> Path:
        from training.evaluation.pages import codec_page

        return codec_page(folder, figures, sounds, options.bundle)

    arguments = f"codec --clips {options.clips}{' --recordings FOLDER' * bool(options.recordings)}"
    arguments += " --soundfont FILE" * bool(options.soundfont) + " --corpus FOLDER" * bool(options.corpus)
    return Evaluation("codec", figures, arguments, page)


def _latent(options: argparse.Namespace) -> Evaluation:
    figures, pairs = evaluate_latent(options.bundle, options.clips)

    def page(folder: Path) -> Path:
        from training.evaluation.pages import latent_page

        return latent_page(folder, figures, pairs)

    return Evaluation("latent", figures, f"latent --clips {options.clips}", page)


def _reverse(options: argparse.Namespace) -> Evaluation:
    material = ReverseMaterial(
        tuple(options.stills),
        tuple(options.audio),
        tuple(options.clips),
        options.masks,
        options.quick,
        tuple(options.only or GROUPS),
    )
    figures = evaluate_reverse(options.bundle, material)

    def page(folder: Path) -> Path:
        from training.evaluation.reverse.page import reverse_page

        return reverse_page(folder, figures)

    folders = ("stills", options.stills), ("audio", options.audio), ("clips", options.clips)
    arguments = "reverse" + "".join(f" --{name} FOLDER" for name, given in folders if given)
    arguments += " --masks FOLDER" * bool(options.masks) + " --quick" * options.quick
    arguments += f" --only {' '.join(options.only)}" if options.only else ""
    return Evaluation("reverse", figures, arguments, page)


def _endurance(options: argparse.Namespace) -> Evaluation:
    if options.minutes <= 0 or options.silence_minutes < 0:
        raise UserError(
            "nothing can be measured",
            f"--minutes {options.minutes:g} --silence-minutes {options.silence_minutes:g}",
            "give more than 0 minutes of music, and 0 or more of silence",
        )
    from training.evaluation.endurance import evaluate_endurance

    figures = evaluate_endurance(options.bundle, options.minutes, options.silence_minutes, options.prior)
    arguments = f"endurance --minutes {options.minutes:g} --silence-minutes {options.silence_minutes:g}"
    return Evaluation("endurance", figures, arguments + " --prior IMAGE" * bool(options.prior))


EVALUATIONS = {
    "forward": _forward,
    "frontier": _frontier,
    "playability": _playability,
    "codec": _codec,
    "latent": _latent,
    "reverse": _reverse,
    "endurance": _endurance,
}


def _at_least(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, at least {least}")
        return int(text)

    return parse


def _clips_or_folder(text: str) -> int | Path:
    return _at_least(2)(text) if text.lstrip("-").isdigit() else _folder(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no such folder; name one that is there")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    forward = what.add_parser("forward", help="video to music: held-out performers in, music out, tick by tick")
    forward.add_argument(
        "--clips", type=_clips_or_folder, default=50, metavar="N|DIR", help="number of held-out clips, or films' folder"
    )
    forward.add_argument("--temperature", type=float, default=ANSWER_TEMPERATURE, help=CONTROLS["temperature"].words)
    forward.add_argument("--guidance", type=float, default=ANSWER_GUIDANCE, help=CONTROLS["guidance"].words)
    forward.add_argument("--periodic", action="store_true", help="performers that repeat one gesture at every beat")
    forward.add_argument("--anticipation-ms", type=float, default=0.0, help="look-ahead: -40, 0, 40, 80 or 120")
    forward.add_argument(
        "--groups", type=Path, metavar="FILE", help="TOML file with films' name patterns for each group"
    )
    forward.add_argument(
        "--labels", type=Path, metavar="DIR", help="folder with reference onsets of films, NAME.txt, a time a line"
    )
    forward.add_argument("--workers", type=_at_least(1), default=2, help="number of processes")
    frontier = what.add_parser("frontier", help="what being earlier costs: onset F1 against look-ahead 0 to 120 ms")
    _add_frontier(frontier)
    playability = what.add_parser("playability", help="how the music answers the hands of people in films")
    playability.add_argument(
        "--clips", type=_folder, required=True, metavar="DIR", help="films' folder; needs no sound"
    )
    playability.add_argument("--workers", type=_at_least(1), default=2, help="number of processes")
    for each in (forward, frontier, playability):
        each.add_argument("--voice", default="auto", help=CONTROLS["voice"].words)
        each.add_argument("--eyes", default="auto", choices=EYES, help="what looks at people in films, as in a show")
    codec = what.add_parser("codec", help="sound in, sound out, beside Opus at four bit rates")
    codec.add_argument("--clips", type=_at_least(2), default=40, help="number of held-out renders")
    codec.add_argument("--recordings", type=Path, metavar="DIR", help="a folder of real sounds to score as well")
    codec.add_argument("--soundfont", type=Path, metavar="FILE", help="score music of sampled instruments as well")
    codec.add_argument("--corpus", type=Path, metavar="DIR", help="scores and recordings; those for tests are used")
    latent = what.add_parser("latent", help="which sound belongs to a video, and at what shift in time")
    latent.add_argument("--clips", type=_at_least(2), default=64, help="number of held-out clips")
    _add_reverse(what.add_parser("reverse", help="music to video: does the music move the still, and as what it shows"))
    around = what.add_parser("roundtrip", help="a video to music, and that music with the first frame back to pictures")
    around.add_argument("video", type=Path, help="any video that FFmpeg reads")
    around.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the page and the film")
    around.add_argument("--seconds", type=float, default=30.0, help="how much of the video to use at most")
    endurance = what.add_parser("endurance", help="silence, an hour of music, silence: does the picture come to rest")
    endurance.add_argument("--minutes", type=float, default=60.0, help="length of the music")
    endurance.add_argument("--silence-minutes", type=float, default=10.0, help="length of the silence before it")
    endurance.add_argument("--prior", default="", metavar="IMAGE", help="the still image; default: the shipped one")
    reverse = what.choices["reverse"]
    for each in (forward, frontier, playability, codec, latent, reverse, around, endurance):
        each.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    for each in (forward, codec, latent, reverse):
        each.add_argument("--page", type=Path, metavar="DIR", help="write a page with plots and players there")
    for each in (forward, frontier, playability, codec, latent, reverse, endurance):
        each.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
        each.add_argument("--into-bundle", action="store_true", help="write the figures into the bundle's manifest")
    return parser


def _add_frontier(parser: argparse.ArgumentParser) -> None:
    """Add the options of the frontier."""
    parser.add_argument("--clips", type=_folder, metavar="DIR", help="films' folder; default: performers only")
    parser.add_argument(
        "--performers", type=_at_least(0), default=40, metavar="N", help="number of held-out performers of each sort"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the plot there, as PNG")
    parser.add_argument("--labels", type=Path, metavar="DIR", help="folder with reference onsets of films")
    parser.add_argument("--temperature", type=float, default=ANSWER_TEMPERATURE, help=CONTROLS["temperature"].words)
    parser.add_argument("--guidance", type=float, default=ANSWER_GUIDANCE, help=CONTROLS["guidance"].words)
    parser.add_argument("--workers", type=_at_least(1), default=2, help="number of processes")


def _add_reverse(parser: argparse.ArgumentParser) -> None:
    """Add the options of the reverse evaluation."""
    words = {
        "stills": "folders with pictures; default: generated ones",
        "audio": "folders with sounds; default: generated ones",
        "clips": "folders with films, of which the first picture is moved by their sound",
    }
    for name, help_text in words.items():
        parser.add_argument(f"--{name}", type=_folder, nargs="+", default=[], metavar="DIR", help=help_text)
    parser.add_argument(
        "--masks", type=_folder, metavar="DIR", help="a folder with NAME.png for stills, a grey level for each thing"
    )
    parser.add_argument("--quick", action="store_true", help="fewer of everything, about two minutes")
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}")


def main(arguments: list[str] | None = None) -> int:
    """Run one evaluation; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        if options.what == "roundtrip":
            return _roundtrip(options)
        done = EVALUATIONS[options.what](options)
    except (EngineError, UserError, SoundfontError, FileNotFoundError, NotADirectoryError) as error:
        print(error, file=sys.stderr)
        return 2
    done.figures["command"] = f"python -m training.evaluate {done.arguments}"
    if done.write_page is not None and options.page:
        print(f"page: {done.write_page(options.page)}", file=sys.stderr)
    text = json.dumps(done.figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.into_bundle:
        write_scores(find_bundle(options.bundle), done.name, done.figures)
    return 0


def _roundtrip(options: argparse.Namespace) -> int:
    from training.evaluation.roundtrip import roundtrip

    try:
        print(f"page: {roundtrip(options.video, options.out, options.bundle, options.seconds)}")
    except FootageError as error:
        print(f"{options.video}: {error}; give another video", file=sys.stderr)
        return 2
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
