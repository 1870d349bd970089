"""Scores the reverse loop: held-out music and a still in; does the still move as what made the music moved?

Everything runs through the live stages, tick by tick. Controls: no motion at all, the constant field that fits the clip
itself best when scaled by the loudness, another clip's sound, and the prior image held still. Performers are compared
as
they were filmed, and undisturbed: two in five are filmed by a camera that shakes or drifts, one in five in a flickering
light or before things that pass by, which no sound predicts. The painter is scored on held-out mobiles, where something
comes into view that the still does not show, beside the warped still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engines.registry import has_network, open_engine
from streaming.conventions import STILL_SIDE, TICK_SAMPLES, TICKS_PER_SECOND
from streaming.painting.pose_tracker import PoseTracker
from streaming.settings.config import Show
from streaming.vision.frame_features import VIEW_SIDE, fit_square
from training.datasets.animator import MOBILE_TEST_SEED, record_mobile
from training.datasets.painter import paint_mobile
from training.evaluation.offline_reverse_loop import animate
from training.evaluation.reverse.measures.looks import gradient_errors, psnr, structural_similarity
from training.evaluation.reverse.measures.motion_energy import (
    best_constant,
    end_point_error,
    energy_of,
    series_correlation,
)
from training.loop.pool import open_executor
from training.measures.bootstrap import interval
from training.measures.onsets import level_db
from training.synthesis.recordings import TEST_SEED, ViewRecorder, performer_of, sound_of, watch

Field = NDArray[np.float32]
IMAGINATION = 0.25
"""Imagination at which the painter is scored: a show's default."""
FLOOR_DB = -60.0
ELSEWHERE = 16
"""Number of random offsets of the other clip's sound."""
FIRST_TICKS = 5
"""Ticks at a clip's start that are not scored: nothing was heard before."""
SOUNDING_DB = -50.0
"""A clip counts from this level on. All players wait about as long, and the wait would make any two clips alike."""


@dataclass(frozen=True)
class ReverseClip:
    """A clip: its true flow, the most likely and the sampled prediction [T, 2, G, G], and its level [T] in dB.

    psnr, psnr_sampled, psnr_still: mean PSNR in dB of the pictures with the most likely motion, with the sampled one,
    and of the prior held still; NaN without true pictures.
    """

    kind: str
    name: str
    true: Field
    likeliest: Field
    sampled: Field
    loud_db: NDArray[np.float64]
    psnr: float
    psnr_sampled: float
    psnr_still: float


def first_sounding_tick(loud_db: NDArray[np.float64]) -> int:
    """The first tick of a clip that sounds; 0 where none does."""
    return int(np.argmax(loud_db > SOUNDING_DB))


@dataclass(frozen=True)
class _AnimatedStill:
    """The fields [T, 2, G, G] for a sound and, where drawn, the pictures [T, h, w, 3] at the size of the true ones."""

    flow: Field
    pictures: NDArray[np.uint8]


def _animate(sound: NDArray[np.float32], still: NDArray[np.uint8], show: Show, *, pictures: bool) -> _AnimatedStill:
    moments = list(animate(sound, still, show, pictures=pictures))
    shrunk_pictures = [_shrink(m.picture, still.shape) for m in moments if m.picture is not None]
    return _AnimatedStill(
        np.stack([m.flow for m in moments]),
        np.stack(shrunk_pictures) if shrunk_pictures else np.zeros((0, 1, 1, 3), np.uint8),
    )


def animate_performer(seed: int, bundle: str) -> tuple[ReverseClip, ReverseClip]:
    """Animate a held-out performer's first frame with its music; compared as filmed, and undisturbed."""
    first = performer_of(seed).frame(0.0)
    music = sound_of(seed)
    shows = (Show(bundle=bundle, seed=seed, controls={"chance": chance}) for chance in (0.0, 1.0))
    likeliest, sampled = (_animate(music, first, show, pictures=True) for show in shows)
    held_still = np.repeat(_shrink(first, first.shape)[None], len(sampled.flow), 0)

    def compare(undisturbed: bool) -> ReverseClip:
        clip = watch(seed, ViewRecorder(), steady=True, undisturbed=undisturbed)
        performer = performer_of(seed, undisturbed=undisturbed)
        true = (performer.frame(tick / TICKS_PER_SECOND) for tick in range(len(sampled.flow)))
        want = np.stack([_shrink(image, first.shape) for image in true])
        return ReverseClip(
            clip.kind,
            str(seed),
            clip.flow.astype(np.float32),
            likeliest.flow,
            sampled.flow,
            level_db(music),
            *(
                psnr(got[FIRST_TICKS:], want[FIRST_TICKS:])
                for got in (likeliest.pictures, sampled.pictures, held_still)
            ),
        )

    return compare(False), compare(True)


def animate_mobile(seed: int, bundle: str) -> ReverseClip:
    """Animate a held-out mobile's still with its sound."""
    data = record_mobile(seed)
    sound = data["sound"].astype(np.float32) / 32767.0
    shows = (Show(bundle=bundle, seed=seed, controls={"chance": chance}) for chance in (0.0, 1.0))
    likeliest, sampled = (_animate(sound, data["still"], show, pictures=False).flow for show in shows)
    true = data["flow"].astype(np.float32)
    return ReverseClip("mobile", str(seed), true, likeliest, sampled, level_db(sound), *(3 * [float("nan")]))


def _shrink(image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A picture at the networks' resolution of a true one with shape [H, W, 3]."""
    scale = STILL_SIDE / max(shape[:2])
    size = round(shape[1] * scale), round(shape[0] * scale)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def score_inpainting(seed: int, bundle: str) -> dict[str, float]:
    """Score the painter on a held-out mobile's ticks where hidden parts come into view."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mobile.npz"
        np.savez(path, allow_pickle=False, **record_mobile(seed))
        rows = paint_mobile(path, seed)
        with np.load(path) as file:
            sound = file["sound"].astype(np.float32) / 32767.0
    painter = open_engine("painter", bundle=bundle)
    embedding, latents = _embedding_of(rows["prior"][0], bundle), _audio_latents(sound, bundle)
    pose_inputs: list[dict[str, Any]] = [{} for _ in latents]
    if painter.spec.config.get("points", 0):
        tracker = PoseTracker(open_engine("pose", bundle=bundle))
        pose_inputs = [{"said": tracker.update(tick, latent, embedding)} for tick, latent in enumerate(latents)]
    noise = np.random.default_rng(seed).standard_normal((3, STILL_SIDE, STILL_SIDE), np.float32)
    sums: dict[str, list[float]] = {}
    for row in range(len(rows["warped"])):
        hidden = rows["hidden"][row]
        if hidden.sum() < 20:
            continue
        tick = int(rows["tick"][row])
        change = painter.step(
            warped=rows["warped"][row],
            prior=rows["prior"][row],
            where=rows["where"][row],
            flow=rows["flow"][row],
            heard=latents[tick],
            imagination=IMAGINATION,
            chance=1.0,
            seen=embedding,
            noise=noise,
            **pose_inputs[tick],
        )["change"]
        painted_picture = np.clip(rows["warped"][row] + change, 0, 255).astype(np.uint8)
        wanted = rows["wanted"][row]
        for name, picture in (("painted", painted_picture), ("moved", rows["warped"][row])):
            sums.setdefault(f"{name}_ssim", []).append(float(structural_similarity(picture, wanted)[hidden].mean()))
            sums.setdefault(f"{name}_gradient_error", []).append(float(gradient_errors(picture, wanted)[hidden].mean()))
    return {name: float(np.mean(values)) for name, values in sums.items()}


def _embedding_of(still: NDArray[np.uint8], bundle: str) -> NDArray[np.float32]:
    eyes = open_engine("embedding", bundle=bundle)
    return np.asarray(eyes.step(image=fit_square(still, VIEW_SIDE))["embedding"], np.float32)


def _audio_latents(sound: NDArray[np.float32], bundle: str) -> list[NDArray[np.float32]]:
    encoder, hearing = open_engine("encoder", bundle=bundle), open_engine("hearing", bundle=bundle)
    parts = sound[: sound.size // TICK_SAMPLES * TICK_SAMPLES].reshape(-1, TICK_SAMPLES)
    return [np.asarray(hearing.step(frames=encoder.step(pcm=pcm)["frames"])["latent"]) for pcm in parts]


def _envelopes(clip: ReverseClip, other: ReverseClip, seed: int) -> dict[str, float]:
    """Correlation of the motion's energy with the loudness: of the clip's own sound, and of another clip's.

    All players rest in the middle of a clip, so any two clips are alike in that. The other sound is therefore shifted
    by random offsets. `_in_step` has it unshifted, and `_of_pieces` is the correlation of the two sounds' loudness
    alone.
    """
    active = slice(max(FIRST_TICKS, first_sounding_tick(clip.loud_db), first_sounding_tick(other.loud_db)), None)
    loud, others = (np.maximum(c.loud_db[active], FLOOR_DB) for c in (clip, other))
    sampled_energy = energy_of(clip.sampled[active])
    elsewhere = np.random.default_rng(seed).integers(0, len(others), ELSEWHERE)
    return {
        "": series_correlation(sampled_energy, loud),
        "_shuffled": float(np.mean([series_correlation(sampled_energy, np.roll(others, int(by))) for by in elsewhere])),
        "_in_step": series_correlation(sampled_energy, others),
        "_of_pieces": series_correlation(loud, others),
        "_of_truth": series_correlation(energy_of(clip.true[active]), loud),
    }


def summarize_clips(clips: Sequence[ReverseClip]) -> dict[str, Any]:
    """The figures of clips, each with its controls and a bootstrap interval."""
    cut = slice(FIRST_TICKS, None)
    errors: dict[str, list[float]] = {}
    for index, clip in enumerate(clips):
        true = clip.true[cut]
        fields = {
            "flow_error": clip.likeliest[cut],
            "flow_error_drawn": clip.sampled[cut],
            "flow_error_still": np.zeros_like(true),
            "flow_error_constant": best_constant(true, clip.loud_db[cut]),
        }
        for name, field in fields.items():
            errors.setdefault(name, []).append(end_point_error(field, true))
        for name, value in _envelopes(clip, clips[(index + 1) % len(clips)], index).items():
            errors.setdefault(f"envelope_correlation{name}", []).append(value)
        errors.setdefault("psnr_gain_db", []).append(clip.psnr - clip.psnr_still)
        errors.setdefault("psnr_gain_db_drawn", []).append(clip.psnr_sampled - clip.psnr_still)
    figures: dict[str, Any] = {}
    for name, values in errors.items():
        if np.isnan(values).all():
            continue
        figures[name] = round(float(np.nanmean(values)), 4)
        figures[f"{name}_interval"] = interval(values)
    return figures | {"n_clips": len(clips)}


def evaluate_reverse(bundle: str, clips: int, workers: int = 2) -> tuple[dict[str, Any], list[ReverseClip]]:
    """Score held-out clips, half performers and half mobiles, and the painter on as many mobiles.

    Args:
        bundle: name or folder.
        clips: how many, at least 4.
        workers: processes.
    """
    half = clips // 2
    performers, mobiles = range(TEST_SEED, TEST_SEED + half), range(MOBILE_TEST_SEED, MOBILE_TEST_SEED + half)
    with open_executor(workers) as pool:

        def each(work: Callable[..., Any], seeds: range, name: str) -> list[Any]:
            return list(tqdm(pool.map(partial(work, bundle=bundle), seeds), total=half, desc=name, mininterval=5))

        active = each(animate_performer, performers, "performers")
        mobile_clips = each(animate_mobile, mobiles, "mobiles")
        inpainting = each(score_inpainting, mobiles, "mended") if has_network("painter", bundle) else []
    as_filmed = [clip for clip, _ in active]
    figures: dict[str, Any] = {
        "split": "synthetic performers and mobiles that were never trained on",
        "seeds": [TEST_SEED, TEST_SEED + half - 1],
        "n_clips": 2 * half,
        "performers": summarize_clips(as_filmed),
        "performers_undisturbed": summarize_clips([clip for _, clip in active]),
        "mobiles": summarize_clips(mobile_clips),
    }
    kinds = sorted({clip.kind for clip in as_filmed})
    figures["by_kind"] = {kind: summarize_clips([clip for clip in as_filmed if clip.kind == kind]) for kind in kinds}
    names = sorted({name for row in inpainting for name in row})
    for name in names:
        values = [row[name] for row in inpainting if name in row]
        figures.setdefault("hidden", {})[name] = round(float(np.mean(values)), 4)
        figures["hidden"][f"{name}_interval"] = interval(values)
    return figures, [*as_filmed, *mobile_clips]
