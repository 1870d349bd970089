"""The two ends of every control, heard and seen with the shipped networks: each does what its row says."""

from __future__ import annotations

import numpy as np
import pytest

from engines.registry import open_engine
from performers.performer import SyntheticPerformer
from streaming.audio.levels import decibels
from streaming.conventions import SAMPLE_RATE, TICK_NS, TICK_SAMPLES
from streaming.schema.messages import Camera, Message, Motion
from streaming.settings.config import Show
from streaming.settings.controls import CONTROLS
from streaming.stage import Context, Inputs
from streaming.stages import motion
from streaming.telemetry.metrics import Metrics
from training.evaluation.offline_reverse_loop import Moment, animate

TICKS = 60
SILENT_DB = -60.0


@pytest.fixture(scope="module")
def motions() -> list[Motion]:
    """A drummer's motion, 2.4 s."""
    performer = SyntheticPerformer("drums", 3, size=(320, 240), duration_s=10.0)
    stage = motion.build()
    stage.setup(Context(show=Show(), metrics=Metrics()))
    messages: list[Message] = []
    for n in range(TICKS):
        frame = Camera(image=performer.frame(2.0 + n * 0.04), index=n, rate_hz=25.0, capture_ns=n * TICK_NS)
        messages += stage.step(Inputs({"camera": [frame]}, started=True), n * TICK_NS)
    stage.close()
    return [message for message in messages if isinstance(message, Motion)]


def levels(motions: list[Motion], **controls: float) -> list[float]:
    """The level in dB of every tick's sound; controls that are not given have their default."""
    values = {row.name: row.default for row in CONTROLS.values() if "tokens" in row.stages} | controls
    sight, translator, decoder = (open_engine(name, seed=1) for name in ("sight", "translator", "decoder"))
    music = []
    for n, message in enumerate(motions):
        latent = sight.step(flow=message.flow, speed=message.speed, embedding=message.embedding, age_s=0.04)["latent"]
        frames = translator.step(
            latent=latent,
            age_s=0.04,
            time_s=n * TICK_NS / 1e9,
            temperature=float(values["temperature"]),
            guidance=float(values["guidance"]),
            anticipation_s=CONTROLS["anticipation"].factor * float(controls.get("anticipation", 0.0)),
        )["frames"]
        music.append(decibels(decoder.step(frames=frames)["pcm"]))
    return music


@pytest.mark.parametrize("name", ["temperature", "guidance", "anticipation"])
@pytest.mark.parametrize("end", ["low", "high"])
def test_there_is_music_at_both_ends(motions: list[Motion], name: str, end: str) -> None:
    music = levels(motions, **{name: getattr(CONTROLS[name], end)})
    assert np.isfinite(music).all()
    assert np.mean(np.array(music) > SILENT_DB) > 0.2


def test_below_the_range_of_guidance_there_is_only_silence(motions: list[Motion]) -> None:
    """The reason for its lower end; should it fail with other networks, the range may be made wider."""
    assert max(levels(motions, guidance=0.0)) < SILENT_DB


SOUND = np.random.default_rng(0).standard_normal(TICK_SAMPLES * 20).astype(np.float32)
SOUND *= np.sin(2.0 * np.pi * 2.0 * np.arange(SOUND.size, dtype=np.float32) / SAMPLE_RATE) * np.float32(0.2)
STILL = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def play(seed: int = 0, *, pictures: bool = True, **controls: float) -> list[Moment]:
    return list(animate(SOUND, STILL, Show(seed=seed).with_controls(**controls), pictures=pictures))


def pictures_of(moments: list[Moment]) -> np.ndarray:
    """The last ten pictures, int16 [10, H, W, 3]."""
    return np.stack([moment.picture for moment in moments[-10:] if moment.picture is not None]).astype(np.int16)


@pytest.fixture(scope="module")
def moved() -> np.ndarray:
    """Pictures with the usual controls, but nothing is painted."""
    return pictures_of(play(imagination=0.0))


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    """Pictures of which nothing moves and nothing is painted."""
    return pictures_of(play(motion=0.0, imagination=0.0))


def test_without_motion_and_imagination_the_prior_image_stands_still(still: np.ndarray, moved: np.ndarray) -> None:
    assert len(still) == 10
    assert (still == still[0]).all()
    assert np.abs(moved - still).mean() > 0.5


def test_the_most_anchoring_only_trembles(still: np.ndarray, moved: np.ndarray) -> None:
    most = pictures_of(play(imagination=0.0, anchoring=CONTROLS["anchoring"].high))
    assert 0.0 < np.abs(most - still).mean() < 0.6 * np.abs(moved - still).mean()


def test_the_most_imagination_changes_much(moved: np.ndarray) -> None:
    assert np.abs(pictures_of(play(imagination=1.0)) - moved).mean() > 3.0


def test_without_chance_every_seed_moves_the_same_and_with_all_of_it_the_sound_still_decides() -> None:
    def course(seed: int, chance: float) -> np.ndarray:
        return np.stack([tick.amplitudes for tick in play(seed, pictures=False, chance=chance)])

    one, other = (course(seed, CONTROLS["chance"].low) for seed in (1, 2))
    np.testing.assert_array_equal(one, other)
    free, freer = (course(seed, CONTROLS["chance"].high) for seed in (1, 2))
    assert np.abs(free - freer).max() > 0.01
    assert np.abs(one).mean() > 0.5 * np.abs(free).mean()
    assert np.corrcoef(free.ravel(), freer.ravel())[0, 1] > 0.7
