"""Plays sounds to the reverse loop's stages piece by piece, so that what is heard can be exchanged on the way.

A sound is heard once, a scene is made once, and each is used in many combinations: with another seed, with the drive's
inputs at zero, or with another clip's inputs while the level and the seed stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import open_engine
from streaming.audio.levels import decibels
from streaming.conventions import STILL_SIDE, TICK_NS, TICK_SAMPLES
from streaming.devices.stills.prior import fit_screen, screen_size
from streaming.scenes.layered_scene import LayeredScene
from streaming.scenes.scene_cache import CachedSceneMaker
from streaming.scenes.scene_message import read_scene
from streaming.schema.messages import Flow, Hearing, Microphone, Picture, Scene
from streaming.settings.config import Links, Show
from streaming.stage import Context, Inputs, Stage
from streaming.stages.flow import FlowStage
from streaming.stages.hearing import HearingStage
from streaming.stages.picture import PictureStage
from streaming.telemetry.metrics import Metrics
from streaming.vision.frame_features import fit_square

Sound = NDArray[np.float32]
M = TypeVar("M")


@dataclass(frozen=True)
class SceneOfStill:
    """A still's scene: the message that the stages get, and its layers and modes."""

    message: Scene
    layers: LayeredScene


@dataclass(frozen=True)
class MovedStill:
    """What a sound makes of a still.

    Attributes:
        flows: the message of each tick.
        amplitudes: float32 [T, M], where the springs are.
        flow: float32 [T, 2, G, G], longer sides per second.
    """

    flows: list[Flow]
    amplitudes: NDArray[np.float32]
    flow: NDArray[np.float32]


@dataclass
class ReverseStages:
    """The stages of the reverse loop with one bundle; engines are opened once.

    Attributes:
        bundle: name or folder.
    """

    bundle: str
    _engines: dict[str, Engine] = field(default_factory=dict)

    def hear(self, sound: Sound) -> list[Hearing]:
        """What each tick of a sound [n] is to the networks."""
        stage = HearingStage(self._open)
        self._setup(stage, self._show(0))
        heard: list[Hearing] = []
        for tick in range(sound.size // TICK_SAMPLES):
            pcm = np.ascontiguousarray(sound[tick * TICK_SAMPLES : (tick + 1) * TICK_SAMPLES], np.float32)
            messages = [Microphone(tick=tick, pcm=pcm, level_db=decibels(pcm))]
            heard += _of_kind(Hearing, stage.step(Inputs({"microphone": list(messages)}), tick * TICK_NS))
        stage.close()
        return heard

    def scene(self, image: NDArray[np.uint8]) -> SceneOfStill:
        """The scene of a still, made anew: one from the user's cache may be of an older maker.

        It takes as long as it takes; a show's scene stage gives up after a while.

        Args:
            image: uint8 [H, W, 3] BGR; it is fitted to a screen.
        """
        shown = fit_screen(image, screen_size(image))
        packed = CachedSceneMaker(None).make(shown)
        still = fit_square(shown, STILL_SIDE)
        identity = hashlib.sha256(shown.tobytes()).hexdigest()[:16]
        message = Scene(identity=identity, name="a still", image=shown, still=still, **packed._asdict())
        return SceneOfStill(message, read_scene(message))

    def move(self, scene: SceneOfStill, heard: Iterable[Hearing], seed: int = 0, **controls: float) -> MovedStill:
        """Move a still from rest by what was heard.

        Args:
            scene: of the still.
            heard: a message for each tick.
            seed: of chance.
            controls: live controls that differ from the defaults.
        """
        stage = FlowStage(self._open)
        self._setup(stage, self._show(seed, **controls))
        stage.step(Inputs({"scene": [scene.message]}), 0)
        flows: list[Flow] = []
        for hearing in heard:
            flows += _of_kind(Flow, stage.step(Inputs({"hearing": [hearing]}), hearing.tick * TICK_NS))
        stage.close()
        count = len(scene.layers.modes)
        amplitudes = np.stack([flow.amplitudes[:count] for flow in flows]).astype(np.float32)
        return MovedStill(flows, amplitudes, np.stack([flow.flow for flow in flows]).astype(np.float32))

    def draw(
        self, scene: SceneOfStill, moved: MovedStill, ticks: Sequence[int] | None = None, **controls: float
    ) -> list[NDArray[np.uint8]]:
        """The pictures [H, W, 3] of some ticks in rising order, or of all.

        Args:
            scene: of the still.
            moved: what moves it.
            ticks: whose pictures are wanted; None for all.
            controls: live controls that differ from the defaults.
        """
        # Nothing is late here: every picture is painted.
        stage = PictureStage(patience_ns=None)
        self._setup(stage, self._show(0, **controls))
        stage.step(Inputs({"scene": [scene.message]}), 0)
        pictures: list[NDArray[np.uint8]] = []
        for number, tick in enumerate(range(len(moved.flows)) if ticks is None else ticks):
            flow = msgspec.structs.replace(moved.flows[tick], tick=number)
            pictures += [p.image for p in _of_kind(Picture, stage.step(Inputs({"flow": [flow]}), number * TICK_NS))]
        stage.close()
        return pictures

    def _show(self, seed: int, **controls: float) -> Show:
        # A picture is compared with the sound up to then: what is foreseen of a regular beat would come before it.
        show = Show(bundle=self.bundle, seed=seed, controls={"lead": 0.0, **controls}).with_controls(prior="")
        return msgspec.structs.replace(show, direction="music-to-video", links=Links())

    def _setup(self, stage: Stage, show: Show) -> None:
        stage.setup(Context(show, Metrics()))

    def _open(self, network: str, **options: Any) -> Engine:
        """An engine as new: opened once for each network and reset."""
        if network not in self._engines:
            self._engines[network] = open_engine(network, **options)
        self._engines[network].reset()
        return self._engines[network]


def zero_inputs(heard: Sequence[Hearing]) -> list[Hearing]:
    """The same levels with nothing else heard: latents, bands and attacks are 0."""
    return [
        msgspec.structs.replace(one, latent=np.zeros_like(one.latent), bands=np.zeros_like(one.bands)) for one in heard
    ]


def other_inputs(heard: Sequence[Hearing], other: Sequence[Hearing]) -> list[Hearing]:
    """The same levels with another clip's latents, bands and attacks.

    Args:
        heard: whose ticks and levels stay.
        other: at least as many.

    Raises:
        ValueError: when there are fewer.
    """
    if len(other) < len(heard):
        raise ValueError(f"{len(heard)} ticks cannot take the inputs of {len(other)}")
    return [
        msgspec.structs.replace(one, latent=another.latent, bands=another.bands)
        for one, another in zip(heard, other, strict=False)
    ]


def _of_kind(kind: type[M], messages: Iterable[object]) -> list[M]:
    return [message for message in messages if isinstance(message, kind)]
