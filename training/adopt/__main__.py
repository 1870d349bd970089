"""Puts networks into a bundle: published ones by their names on the model hub or from files, or another bundle's.

    python -m training.adopt codec facebook/encodec_32khz --out BUNDLE --look-ahead 1
    python -m training.adopt flow raft_small.onnx --layout raft --out BUNDLE
    python -m training.adopt picture stabilityai/sd-turbo --prompt "a charcoal drawing" --out BUNDLE
    python -m training.adopt networks models/bundles/default --networks embedding kind --out BUNDLE

The licence is shown first and must be accepted. A codec with look-ahead adds latency; how much is said here and in
every report.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engines.contract import EngineError
from engines.flow.layout import LAYOUTS
from models.codec.published_codecs import PublishedError
from training.adopt.codec import LOOK_AHEADS, adopt_codec
from training.bundling import take_networks

AUTOENCODER, PROMPT = "madebyollin/taesd", "an oil painting, rich colours, masterpiece"


def main(arguments: list[str] | None = None) -> int:
    """Adopt a network; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.adopt", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=("codec", "flow", "picture", "networks"), help="what to adopt")
    parser.add_argument(
        "source", help="a folder, or OWNER/NAME on the model hub; flow: an ONNX file; networks: a bundle"
    )
    parser.add_argument("--out", type=Path, required=True, help="the bundle to write into, made if need be")
    parser.add_argument(
        "--look-ahead",
        choices=tuple(LOOK_AHEADS),
        default="exact",
        help="codec: token frames of 20 ms to wait for; exact: all that it depends on (3)",
    )
    parser.add_argument("--audiocraft", action="store_true", help="codec: load it with an installed audiocraft")
    parser.add_argument(
        "--layout", default="", help=f"flow: {', '.join(LAYOUTS)}, or a JSON manifest; default: FILE.json beside it"
    )
    parser.add_argument("--networks", nargs="+", default=[], help="networks: which of the bundle's")
    parser.add_argument("--prompt", default=PROMPT, help="picture: what to paint, in words; it is fixed in the bundle")
    parser.add_argument("--autoencoder", default=AUTOENCODER, help="picture: a folder, or OWNER/NAME; default: TAESD")
    parser.add_argument("--side", type=int, default=512, help="picture: side of the painted squares, a multiple of 64")
    parser.add_argument("--offline", action="store_true", help="never ask the hub; use only what is on this machine")
    parser.add_argument("--accept-licence", action="store_true", help="accept the licence that is shown")
    options = parser.parse_args(arguments)
    source, out, accepted = options.source, options.out, options.accept_licence
    try:
        if options.network == "flow":
            from training.adopt.flow import adopt_flow

            lines = adopt_flow(source, options.layout, out, accepted=accepted)
        elif options.network == "networks":
            lines = take_networks(Path(source), out, options.networks)
        elif options.network == "picture":
            from training.adopt.diffusion import DiffusionSettings, adopt_picture

            settings = DiffusionSettings(options.prompt, options.autoencoder, options.side)
            lines = adopt_picture(source, settings, out, offline=options.offline, accepted=accepted)
        else:
            how = {"offline": options.offline, "accepted": accepted, "audiocraft": options.audiocraft}
            lines = adopt_codec(source, options.look_ahead, out, **how)
    except (PublishedError, EngineError, OSError) as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
