"""The reverse loop without its devices: sound and a still in, flow and pictures out, through the live stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.audio.levels import decibels
from streaming.conventions import TICK_NS, TICK_SAMPLES
from streaming.schema.messages import Flow, Microphone, Picture
from streaming.settings.config import Links, Show
from streaming.stage import Context, Inputs, Stage
from streaming.stages.flow import FlowStage
from streaming.stages.hearing import HearingStage
from streaming.stages.picture import PictureStage
from streaming.stages.scene import SceneStage
from streaming.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Moment:
    """A tick.

    Attributes:
        flow: float32 [2, G, G].
        picture: uint8 [H, W, 3], or None where none was drawn.
        amplitudes: float32 [M], of the scene's modes.
    """

    flow: NDArray[np.float32]
    picture: NDArray[np.uint8] | None
    amplitudes: NDArray[np.float32]


def animate(
    sound: NDArray[np.float32],
    still: NDArray[np.uint8],
    show: Show,
    *,
    pictures: bool = True,
) -> Iterator[Moment]:
    """Play a sound to the reverse loop, a tick at a time.

    Args:
        sound: float32 [n], 32 kHz; what is left of a tick at its end is not heard.
        still: the prior image, uint8 [H, W, 3] BGR.
        show: the bundle, the seed and the dials.
        pictures: whether pictures are drawn.
    """
    show = msgspec.structs.replace(show.with_controls(prior=""), direction="music-to-video", links=Links())
    scene_stage, hearing_stage, flow_stage = SceneStage(lambda path: still), HearingStage(), FlowStage()
    # Nothing is late here, whatever else the cores do: every picture is painted.
    picture_stage = PictureStage(patience_ns=None)
    stages: tuple[Stage, ...] = (scene_stage, hearing_stage, flow_stage, *([picture_stage] if pictures else []))
    for stage in stages:
        stage.setup(Context(show, Metrics()))
    try:
        scenes = {"scene": list(scene_stage.step(Inputs(), 0))}
        for stage in stages[2:]:
            stage.step(Inputs(scenes), 0)
        for tick in range(sound.size // TICK_SAMPLES):
            pcm = np.ascontiguousarray(sound[tick * TICK_SAMPLES : (tick + 1) * TICK_SAMPLES], np.float32)
            now_ns = tick * TICK_NS
            messages = [Microphone(tick=tick, pcm=pcm, level_db=decibels(pcm))]
            hearings = hearing_stage.step(Inputs({"microphone": list(messages)}), now_ns)
            (flow,) = flow_stage.step(Inputs({"hearing": list(hearings)}), now_ns)
            assert isinstance(flow, Flow)
            image = None
            if pictures:
                (picture,) = picture_stage.step(Inputs({"flow": [flow]}), now_ns)
                assert isinstance(picture, Picture)
                image = picture.image
            yield Moment(flow.flow, image, flow.amplitudes)
    finally:
        for stage in stages:
            stage.close()
