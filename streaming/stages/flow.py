"""The stage that moves: the sound drives the springs of the scene's modes; their velocity is the tick's flow field."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engines.contract import Engine
from engines.registry import has_network, open_engine
from streaming.audio.beat_anticipation import BeatAnticipation
from streaming.audio.levels import gate_opening
from streaming.conventions import SOUND_BANDS, TICKS_PER_SECOND
from streaming.scenes.hand_drive import HandDrive, ModeDrive
from streaming.scenes.layered_scene import MAX_MODES, LayeredScene, SceneMode
from streaming.scenes.network_drive import NetworkDrive
from streaming.scenes.plain_scene import make_plain_scene
from streaming.scenes.pooled_modes import PooledModes, pool_modes, weigh_modes
from streaming.scenes.scene_message import read_scene
from streaming.scenes.springs import Springs
from streaming.schema.messages import Flow, Hearing, Message, Scene
from streaming.settings.control_values import ControlValues
from streaming.stage import Context, Inputs

NOISE_CORRELATION = 0.9
"""Correlation of the noise in one tick with that in the next: what jumps 25 times a second is no motion."""
MAX_GAP_TICKS = 250
"""Lost ticks that the beat goes on for at most."""
PREVIOUS_TICKS = 75
"""The scene before is moved for this long after a change: the new one is prepared and fades in."""
NO_DRIVE = "the bundle has no network drive: rules made by hand decide what the sound moves"


@dataclass
class _SwingingScene:
    """A scene and its springs. `ticks_left`: for how long it is still moved once it is not the present one."""

    identity: str
    modes: tuple[SceneMode, ...]
    pooled: PooledModes
    springs: Springs
    drive: ModeDrive
    ticks_left: int = PREVIOUS_TICKS


class FlowStage:
    """Publishes how the prior image moves, tick by tick; the same seed, sound and image give the same motion.

    Attacks of regular music are anticipated by the control `lead`, as picture and beat would otherwise be apart by what
    the show takes. It is the only one that has the springs. A new scene begins at rest; the one before is moved on by
    hand-made rules while it fades.

    Args:
        engine_opener: opens the network; see `engines.registry.open_engine`.
        network_finder: says whether a bundle has a network; see `engines.registry.has_network`.
    """

    def __init__(
        self,
        engine_opener: Callable[..., Engine] = open_engine,
        network_finder: Callable[[str, str], bool] = has_network,
    ) -> None:
        self._open_engine, self._has_network = engine_opener, network_finder
        self._scene: _SwingingScene | None = None
        self._previous_scene: _SwingingScene | None = None
        self._beat = BeatAnticipation()
        self._tick: int | None = None

    def setup(self, context: Context) -> None:
        """Open the network and run it warm.

        Raises:
            EngineError: when it cannot be opened.
        """
        show = context.show
        self._context = context
        self._controls = ControlValues("flow", show)
        self._drive: ModeDrive = HandDrive()
        if self._has_network("drive", show.bundle):
            opener = functools.partial(self._open_engine, **context.engine_options())
            engine = opener("drive", seed=show.seed)
            self._drive = NetworkDrive(engine)
            context.add_engines(engine)
        else:
            context.note(NO_DRIVE)
        self._take_tempo()
        self._random = np.random.default_rng([show.seed, 99])
        self._noise = self._draw_noise()

    def wake_ns(self) -> int | None:
        """Never by time: sound wakes it, and a scene."""
        return None

    def step(self, inputs: Inputs, now_ns: int) -> Sequence[Message]:
        """Move with every tick that was heard; nothing before there is a scene."""
        scene = inputs.latest(Scene)
        if scene is not None and (self._scene is None or scene.identity != self._scene.identity):
            self._take_scene(scene)
        names = self._controls.update(inputs.controls)
        if "panic" in names and self._controls.is_on("panic"):
            self._drive.reset()
            self._beat.reset()
        if "tempo" in names:
            self._take_tempo()
        present = self._scene
        return [] if present is None else [self._move(hearing, present) for hearing in inputs.all(Hearing)]

    def close(self) -> None:
        """Nothing to release."""

    def _take_tempo(self) -> None:
        """Foresee by the beat that is given, or by the one that is heard."""
        auto = self._controls.word("tempo") == "auto"
        self._beat.assume(0.0 if auto else 60.0 * TICKS_PER_SECOND / self._controls["tempo"])

    def _take_scene(self, message: Scene) -> None:
        """Begin to move a new scene from rest."""
        scene = self._read(message)
        if self._scene is not None:
            # The network hears one tick once and drives one scene at a time.
            relief = HandDrive()
            relief.take_scene(self._scene.modes)
            self._previous_scene = replace(self._scene, drive=relief)
        self._drive.take_scene(scene.modes)
        self._scene = _SwingingScene(
            message.identity, scene.modes, pool_modes(scene), Springs(scene.modes), self._drive
        )

    def _read(self, message: Scene) -> LayeredScene:
        try:
            return read_scene(message)
        except ValueError as error:
            self._context.metrics.count("bad")
            self._context.note(f"the scene of {message.name or message.identity} is not used ({error})")
            return make_plain_scene(np.ascontiguousarray(message.image))

    def _move(self, hearing: Hearing, present: _SwingingScene) -> Flow:
        metrics = self._context.metrics
        lost = 0 if self._tick is None else max(0, hearing.tick - self._tick - 1)
        if lost:
            metrics.count("gaps", lost)
        self._tick = hearing.tick
        bands = self._bands_of(hearing, lost)
        self._noise = (
            NOISE_CORRELATION * self._noise + np.float32(np.sqrt(1.0 - NOISE_CORRELATION**2)) * self._draw_noise()
        )
        scenes = self._scenes(present)
        for scene in scenes:
            self._swing(scene, hearing, bands, lost)
        flow = weigh_modes(present.springs.velocity, present.pooled)
        metrics.gauge("speed", float(np.abs(flow).mean()))
        metrics.gauge("beat", self._beat.belief)
        return Flow(
            tick=hearing.tick,
            flow=flow,
            level_db=hearing.level_db,
            heard=hearing.latent,
            scenes=[scene.identity for scene in scenes],
            mode_counts=[len(scene.modes) for scene in scenes],
            amplitudes=np.concatenate([scene.springs.amplitudes for scene in scenes]).astype(np.float32),
            capture_ns=hearing.capture_ns,
            stamps=dict(hearing.stamps),
        )

    def _scenes(self, present: _SwingingScene) -> list[_SwingingScene]:
        """All that is moved at present, the present scene first."""
        if self._previous_scene is not None:
            self._previous_scene.ticks_left -= 1
            if self._previous_scene.ticks_left < 0:
                self._previous_scene = None
        return [present] if self._previous_scene is None else [present, self._previous_scene]

    def _swing(self, scene: _SwingingScene, hearing: Hearing, bands: NDArray[np.float32], lost: int) -> None:
        """Advance a scene's springs by the tick that was heard, after those that were lost."""
        springs = scene.springs
        springs.hold(self._controls["anchoring"])
        springs.allow(self._controls["motion"])
        springs.coast(lost)
        noise = np.float32(self._controls["chance"]) * self._noise
        forces = scene.drive.step(hearing.latent, bands, noise)
        if not np.isfinite(forces).all():
            # A recurrent state that is not finite stays so: begin anew.
            self._context.metrics.count("nan")
            scene.drive.reset()
            forces = np.zeros_like(forces)
        # A silent microphone's noise moves nothing, whatever the network makes of it.
        forces = forces * gate_opening(hearing.level_db)
        springs.step(*(self._controls["motion"] * forces))

    def _bands_of(self, hearing: Hearing, lost: int) -> NDArray[np.float32]:
        """Levels and attacks [2, SOUND_BANDS] of a tick, the attacks as far ahead as the control says."""
        bands = np.asarray(hearing.bands)
        if bands.shape == (2, SOUND_BANDS) and bands.dtype.kind == "f" and np.isfinite(bands).all():
            bands = bands.astype(np.float32)
        else:
            self._context.metrics.count("bad")
            bands = np.zeros((2, SOUND_BANDS), np.float32)
        lead_ticks = round(self._controls["lead"] * TICKS_PER_SECOND)
        for _ in range(min(lost, MAX_GAP_TICKS)):
            self._beat.step(np.zeros(SOUND_BANDS), lead_ticks)
        attacks = self._beat.step(bands[1], lead_ticks)
        return np.stack([bands[0], attacks])

    def _draw_noise(self) -> NDArray[np.float32]:
        return self._random.standard_normal((MAX_MODES, 2), np.float32)


def build() -> FlowStage:
    """The stage, for the process table."""
    return FlowStage()
