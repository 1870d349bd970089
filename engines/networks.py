"""The table of networks: a network is one row of `NETWORKS`, and every list of networks derives from it.

To add a network, write its module and tick (`models/`), its engine, its trainer (`training/networks/`), and one row
here. Modules, engines and trainers are dotted names ("package.module:attribute") that are imported on use: reading the
table imports no ML framework, and only the runtimes that run on torch import `models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from engines.network_row import Cost, Network, Port, ReadyMade, Weights

TICK_SAMPLES = 1_280
"""Samples of a tick at the codec's rate."""
EMBEDDING_SIDE = 256
"""Side in pixels of the square pictures that a visual front-end takes."""
NUM_POINTS = 14
"""Points of a player that an embedding begins with, and that a pose estimate gives."""

CODEC = Weights("codec", "models.codec.encodec:codec_from_config", "training.networks.codec:TRAINER")
VOCODER = Weights("vocoder", "models.codec.mel:Vocoder.from_config", "training.networks.vocoder:TRAINER")
EMBEDDING = Weights(
    "embedding",
    "models.vision.pretrained_embeddings:embedding_from_config",
    "training.networks.embedding:TRAINER",
)
KIND = Weights(
    "kind",
    "models.vision.kind_reader:KindReader.from_config",
    "training.networks.kind:TRAINER",
    trained_with=("embedding",),
)
LATENT = Weights(
    "latent",
    "models.translation.latent:Latent.from_config",
    "training.networks.latent:TRAINER",
    trained_with=("codec", "vocoder", "embedding"),
)
TRANSLATOR = Weights(
    "translator",
    "models.translation.translator:Translator.from_config",
    "training.networks.translator:TRAINER",
    trained_with=("codec", "vocoder", "embedding", "latent"),
)
POSE = Weights(
    "pose",
    "models.pictures.pose:PoseEstimator.from_config",
    "training.networks.pictures.pose:TRAINER",
    trained_with=("codec", "vocoder", "latent", "embedding"),
)
ANIMATOR = Weights(
    "animator",
    "models.pictures.animator:Animator.from_config",
    "training.networks.pictures.animator:TRAINER",
    command="flow",
    trained_with=("codec", "vocoder", "latent"),
)
DRIVE = Weights(
    "drive",
    "models.pictures.drive:Drive.from_config",
    "training.networks.pictures.drive:TRAINER",
    trained_with=("codec", "vocoder", "latent"),
)
PAINTER = Weights(
    "painter",
    "models.pictures.painter:Painter.from_config",
    "training.networks.pictures.painter:TRAINER",
    command="picture",
    trained_with=("codec", "vocoder", "latent", "embedding"),
)

FRAMES = Port("frames", ("frame_rows", 2), "frames", "a tick's sound: two token frames, or two columns of a log-mel")
PCM = Port("pcm", (TICK_SAMPLES,), "float32", "a tick's sound, -1 to 1")
WHERE = Port("where", (2, "cells", "cells"), "float32", "where each cell comes from in the prior image, in its sides")
FLOW = Port("flow", (2, "cells", "cells"), "float32", "velocities, in longer sides of the picture per second")

ROWS = (
    Network(
        name="flow",
        direction="video-to-music",
        takes=(
            Port("previous", ("height", "width"), "uint8", "grey; [H, W, 3] BGR where `config` has `colour`"),
            Port("current", ("height", "width"), "uint8", "the same, one frame later"),
        ),
        gives=(Port("flow", (2, "height", "width"), "float32", "displacement in pixels: x right, y down"),),
        optional=True,
        ready_made=ReadyMade("flow", "engines.flow.select:open_flow"),
    ),
    Network(
        name="embedding",
        direction="both",
        takes=(Port("image", (EMBEDDING_SIDE, EMBEDDING_SIDE, 3), "uint8", "a camera frame or a still, BGR"),),
        gives=(Port("embedding", ("dim",), "float32", "points x then y, -1 to 1, then the content"),),
        weights=(EMBEDDING,),
        tick="models.tick_modules:EmbeddingTick",
        engine="engines.tick_engines:EmbeddingEngine",
        cost=Cost.HEAVY,
        int8=True,
    ),
    Network(
        name="kind",
        direction="video-to-music",
        takes=(Port("embedding", ("dim",), "float32", "of the newest frame"),),
        gives=(Port("odds", ("odds",), "float32", "of each of `kind_names`, then of none of them; they sum to 1"),),
        weights=(KIND,),
        tick="models.vision.kind_reader:KindTick",
        optional=True,
    ),
    Network(
        name="sight",
        direction="video-to-music",
        takes=(
            Port("flow", (2, "grid", "grid"), "float32", "mean motion of each cell, frame sides per second"),
            Port("speed", ("grid", "grid"), "float32", "mean speed of each cell, frame sides per second"),
            Port("embedding", ("embedding_dim",), "float32", "of the newest frame"),
            Port("age_s", (), "float", "seconds from that frame's capture to the tick"),
        ),
        gives=(Port("latent", ("dim",), "float32", "the tick's video latent, in the coordinated space"),),
        weights=(LATENT,),
        tick="models.tick_modules:SightTick",
        engine="engines.tick_engines:SightEngine",
    ),
    Network(
        name="hearing",
        direction="music-to-video",
        takes=(FRAMES,),
        gives=(Port("latent", ("dim",), "float32", "the tick's audio latent, comparable with video latents"),),
        weights=(LATENT,),
        tick="models.tick_modules:HearingTick",
        engine="engines.tick_engines:HearingEngine",
    ),
    Network(
        name="translator",
        direction="video-to-music",
        takes=(
            Port("latent", ("sight_dim",), "float32", "the video latent"),
            Port("age_s", (), "float", "its age at the tick, in seconds"),
            Port("time_s", (), "float", "the tick's time, in seconds"),
            Port("temperature", (), "float", "of sampling; above 0, 1 is as trained"),
            Port("anticipation_s", (), "float", "how much later the sound will be heard, in seconds"),
            Port("guidance", (), "float", "the weight of the video; 1 is as trained"),
            Port("voice", (), "int", "0 for as trained, else the number of an instrument"),
            Port("gesture", ("gesture_dim",), "float32", "of the motion; all 0 to play by the video latent"),
        ),
        gives=(FRAMES,),
        weights=(TRANSLATOR,),
        tick="models.tick_modules:TranslatorTick",
        engine="engines.tick_engines:TranslatorEngine",
        cost=Cost.MEDIUM,
    ),
    Network(
        name="encoder",
        direction="music-to-video",
        takes=(PCM,),
        gives=(FRAMES,),
        weights=(CODEC, VOCODER),
        tick="models.tick_modules:EncoderTick",
        engine="engines.tick_engines:EncoderEngine",
        cost=Cost.MEDIUM,
    ),
    Network(
        name="decoder",
        direction="video-to-music",
        takes=(FRAMES,),
        gives=(PCM,),
        weights=(CODEC, VOCODER),
        tick="models.tick_modules:DecoderTick",
        engine="engines.tick_engines:DecoderEngine",
        cost=Cost.MEDIUM,
    ),
    Network(
        name="still",
        direction="music-to-video",
        takes=(Port("still", ("side", "side", 3), "uint8", "a prior image, BGR"),),
        gives=(Port("shown", ("shown", "grid", "grid"), "float32", "features of what could move"),),
        weights=(ANIMATOR,),
        tick="models.tick_modules:StillTick",
        engine="engines.tick_engines:StillEngine",
        optional=True,
    ),
    Network(
        name="animator",
        direction="music-to-video",
        takes=(
            Port("latent", ("latent_dim",), "float32", "the audio latent"),
            Port("time_s", (), "float", "the tick's time, in seconds"),
            Port("shown", ("shown", "grid", "grid"), "float32", "as the network `still` gives it"),
            WHERE,
            Port("before", (2, "cells", "cells"), "float32", "the last tick's flow"),
            Port("noise", (2, "cells", "cells"), "float32", "where sampling starts, spread 1"),
        ),
        gives=(FLOW,),
        weights=(ANIMATOR,),
        tick="models.tick_modules:AnimatorTick",
        engine="engines.tick_engines:AnimatorEngine",
        cost=Cost.MEDIUM,
        optional=True,
    ),
    Network(
        name="pose",
        direction="music-to-video",
        takes=(
            Port("latent", ("latent_dim",), "float32", "the audio latent"),
            Port("seen", ("seen_dim",), "float32", "the embedding of the prior image"),
        ),
        gives=(Port("said", (NUM_POINTS, 3), "float32", "the player's points: x, y, -1 to 1, and spread"),),
        weights=(POSE,),
        tick="models.tick_modules:PoseTick",
        engine="engines.tick_engines:PoseEngine",
        optional=True,
    ),
    Network(
        name="drive",
        direction="music-to-video",
        takes=(
            Port("latent", ("latent_dim",), "float32", "the audio latent"),
            Port("bands", (2, "bands"), "float32", "levels and attacks of the sound, 0 to 1"),
            Port("modes", ("modes", "features"), "float32", "what each mode is; all 0 where there is none"),
            Port("noise", ("modes", 2), "float32", "spread 1; 0 for the likeliest forces"),
        ),
        gives=(Port("forces", (3, "modes"), "float32", "push, kick and bow of each mode's spring"),),
        weights=(DRIVE,),
        tick="models.tick_modules:DriveTick",
        engine="engines.tick_engines:DriveEngine",
        optional=True,
    ),
    Network(
        name="painter",
        direction="music-to-video",
        takes=(
            Port("warped", ("side", "side", 3), "uint8", "the warped picture, BGR"),
            Port("prior", ("side", "side", 3), "uint8", "the prior image, BGR"),
            WHERE,
            FLOW,
            Port("heard", ("latent_dim",), "float32", "the audio latent"),
            Port("imagination", (), "float", "0 repairs, 1 repaints"),
            Port("chance", (), "float", "0 to 1: the share of sampling in the motion"),
            Port("seen", ("seen_dim",), "float32", "the embedding of the prior image"),
            Port("said", (NUM_POINTS, 3), "float32", "as the network `pose` gives it"),
            Port("noise", (3, "side", "side"), "float32", "spread 1; another shape where `config` has `noise`"),
        ),
        gives=(Port("change", ("side", "side", 3), "float32", "the change to add to the warped picture, in 0..255"),),
        weights=(PAINTER,),
        tick="models.tick_modules:PainterTick",
        engine="engines.tick_engines:PainterEngine",
        cost=Cost.HEAVY,
        optional=True,
        ready_made=ReadyMade("diffusion", "engines.runtimes.diffusers_runtime:open_painter"),
    ),
)
NETWORKS: Mapping[str, Network] = MappingProxyType({row.name: row for row in ROWS})
"""Name -> row, in the order of the diagram."""


def all_weights() -> dict[str, Weights]:
    """Manifest key -> the weights, each once, in an order in which they can be trained."""
    by_name = {weights.name: weights for row in NETWORKS.values() for weights in row.weights}
    order: dict[str, Weights] = {}

    def add(name: str) -> None:
        if name in order or name not in by_name:
            return
        for other in by_name[name].trained_with:
            add(other)
        order[name] = by_name[name]

    for name in by_name:
        add(name)
    return order


def required_networks(direction: str = "both") -> Iterator[str]:
    """The networks that a show of a direction needs."""
    for row in NETWORKS.values():
        if not row.optional and (direction == "both" or row.direction in ("both", direction)):
            yield row.name


def by_cost(names: Iterable[str]) -> list[str]:
    """Networks with the most expensive first."""
    return sorted(names, key=lambda name: NETWORKS[name].cost)
