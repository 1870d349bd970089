"""Scores a bundle, figures beside controls: `python -m training.evaluate {forward,codec,latent,reverse,endurance}`.

`python -m training.evaluate roundtrip VIDEO --out DIR` sends a video through both loops: to music, and back.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engines.bundles import find_bundle
from engines.contract import EngineError
from streaming.errors import UserError
from training.bundling import write_scores
from training.evaluation.codec import evaluate_codec
from training.evaluation.forward_loop import (
    ANSWER_GUIDANCE,
    ANSWER_TEMPERATURE,
    ResponseSettings,
    evaluate_footage,
    evaluate_forward,
)
from training.evaluation.latent import evaluate_latent
from training.evaluation.reverse_loop import evaluate_reverse
from training.footage.reader import FootageError


def main(arguments: list[str] | None = None) -> int:
    """Run one evaluation; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    forward = what.add_parser("forward", help="held-out performers in, music out, through the causal path")
    forward.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    forward.add_argument("--clips", default="50", metavar="N|DIR", help="how many held-out clips, or a folder of films")
    forward.add_argument("--temperature", type=float, default=ANSWER_TEMPERATURE)
    forward.add_argument("--guidance", type=float, default=ANSWER_GUIDANCE, help="0 to 4: how much what is seen counts")
    forward.add_argument("--periodic", action="store_true", help="performers who repeat one gesture at every beat")
    forward.add_argument("--anticipation-ms", type=float, default=0.0, help="0, 40, 80 or 120")
    codec = what.add_parser("codec", help="sound in, sound out, beside Opus")
    codec.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    codec.add_argument("--clips", type=int, default=40, help="how many held-out renders (at least 2)")
    codec.add_argument("--recordings", type=Path, help="a folder of real sounds to score too")
    latent = what.add_parser("latent", help="which sound belongs to a video, and by how much they are apart")
    latent.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    latent.add_argument("--clips", type=int, default=64, help="how many held-out clips (at least 2)")
    reverse = what.add_parser("reverse", help="held-out music and a still in, flow and pictures out")
    reverse.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    reverse.add_argument("--clips", type=int, default=40, help="how many held-out clips (at least 4)")
    around = what.add_parser(
        "roundtrip", help="a video to music, and that music with its first picture back to pictures"
    )
    around.add_argument("video", type=Path, help="any video that FFmpeg reads")
    around.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    around.add_argument("--out", type=Path, required=True, metavar="DIR", help="the page and the film go there")
    around.add_argument("--seconds", type=float, default=30.0, help="of the video, at most")
    endurance = what.add_parser("endurance", help="silence, an hour of music, silence: what becomes of the picture")
    endurance.add_argument("--bundle", default="default", help="name of a shipped bundle, or a folder")
    endurance.add_argument("--minutes", type=float, default=60.0, help="of music")
    endurance.add_argument("--silence-minutes", type=float, default=10.0, help="of silence before it")
    endurance.add_argument("--prior", default="", help="a still; the shipped one where none is named")
    for each in (forward, codec, latent, reverse):
        each.add_argument("--page", type=Path, metavar="DIR", help="make a page with plots and players there")
    for each in (forward, codec, latent, reverse, endurance):
        each.add_argument("--json", type=Path, help="write the figures here")
        each.add_argument("--into-bundle", action="store_true", help="write them into the bundle's manifest too")
    options = parser.parse_args(arguments)
    if options.what == "roundtrip":
        from training.evaluation.roundtrip import roundtrip

        try:
            print(f"page: {roundtrip(options.video, options.out, options.bundle, options.seconds)}")
        except FootageError as error:
            print(f"{options.video}: {error}; give another video", file=sys.stderr)
            return 2
        except (EngineError, OSError) as error:
            print(error, file=sys.stderr)
            return 2
        return 0
    if options.what == "endurance":
        return _endure(options)
    folder = Path(options.clips) if options.what == "forward" and not options.clips.lstrip("-").isdigit() else None
    clips = 0 if folder else int(options.clips)
    least = 4 if options.what == "reverse" else 2
    if not folder and clips < least:
        parser.error(f"--clips: at least {least}, or nothing can be compared")
    try:
        if options.what == "forward":
            setting = ResponseSettings(
                options.bundle, options.temperature, options.anticipation_ms / 1e3, options.guidance
            )
            if folder:
                figures, answers = evaluate_footage(setting, folder)
            else:
                figures, answers = evaluate_forward(setting, clips, periodic=options.periodic)
            settings = (
                "--periodic " * options.periodic + f"--temperature {options.temperature} --guidance {options.guidance}"
            )
            settings += f" --anticipation-ms {options.anticipation_ms:g}" * bool(options.anticipation_ms)
        elif options.what == "reverse":
            figures, reenacted = evaluate_reverse(options.bundle, clips)
            settings = ""
        elif options.what == "latent":
            figures, pairs = evaluate_latent(options.bundle, clips)
            settings = ""
        else:
            figures, sounds = evaluate_codec(options.bundle, clips, options.recordings)
            settings = "--recordings FOLDER" if options.recordings else ""
    except (EngineError, FileNotFoundError, NotADirectoryError) as error:
        print(error, file=sys.stderr)
        return 2
    figures["command"] = (
        f"python -m training.evaluate {options.what} --clips {'FOLDER' if folder else clips} {settings}".rstrip()
    )
    if options.page:
        from training.evaluation.pages import codec_page, forward_page, latent_page, reverse_page

        if options.what == "forward":
            path = forward_page(options.page, figures, answers)
        elif options.what == "reverse":
            path = reverse_page(options.page, figures, reenacted)
        elif options.what == "latent":
            path = latent_page(options.page, figures, pairs)
        else:
            path = codec_page(options.page, figures, sounds, options.bundle)
        print(f"page: {path}", file=sys.stderr)
    name = "footage" if folder else options.what
    if options.what == "forward" and options.periodic:
        name = "anticipation"
    _tell(figures, name, options)
    return 0


def _endure(options: argparse.Namespace) -> int:
    if options.minutes <= 0 or options.silence_minutes < 0:
        print("--minutes must be more than 0, --silence-minutes not less; give others", file=sys.stderr)
        return 2
    from training.evaluation.endurance import evaluate_endurance

    try:
        figures = evaluate_endurance(options.bundle, options.minutes, options.silence_minutes, options.prior)
    except (EngineError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    figures["command"] = (
        f"python -m training.evaluate endurance --minutes {options.minutes:g} "
        f"--silence-minutes {options.silence_minutes:g}{' --prior IMAGE' * bool(options.prior)}"
    )
    _tell(figures, "endurance", options)
    return 0


def _tell(figures: dict[str, Any], name: str, options: argparse.Namespace) -> None:
    """Print figures, and write them where they are wanted."""
    text = json.dumps(figures, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.into_bundle:
        write_scores(find_bundle(options.bundle), name, figures)


if __name__ == "__main__":
    sys.exit(main())
