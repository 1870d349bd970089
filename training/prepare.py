"""Prepares footage for training: `python -m training.prepare FOLDER --out DATASET`.

Every video that FFmpeg reads becomes frames at 25 fps and sound at 44.1 kHz on one time base, with the flow,
embeddings, tokens and spectra that the networks learn from. Items that are prepared are kept. A kill loses only the
items that were being prepared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tqdm import tqdm

from engines.bundles import find_bundle, network_entry, weights_of
from engines.contract import EngineError
from engines.registry import open_engine
from models.codec.codec import TokenCodec
from models.codec.partial_analysis import mel_bank
from streaming.conventions import (
    EMBEDDING_DIM,
    FLOW_GRID,
    MOTION_FEATURES,
    SAMPLE_RATE,
    TICK_NS,
    TICK_SAMPLES,
    TICKS_PER_SECOND,
    TOKEN_FRAME_SAMPLES,
    TOKEN_FRAMES_PER_TICK,
)
from streaming.stages.motion import MotionReader
from training.bundling import load_sound_network
from training.footage.dataset import MEL_BANDS, MEL_HOP, SCHEMA, assign_splits, item_facts, write_json
from training.footage.reader import MASTER_RATE, MASTER_TICK, Footage, FootageError, examine, pictures, reason, sound
from training.footage.sources import LAYOUTS, FootageSource, detect
from training.footage.summary_page import write_summary
from training.footage.writer import MediaWriter
from training.loop.pool import open_executor, run_jobs
from training.measures.onsets import flux

FOLDERS = ("items", "media", "features", "thumbs")
SILENT_DB = -60.0
MEL_WINDOW = 1024
THUMBS = 5
THUMB_SIZE = (160, 120)
OFFSET_TICKS = 12
"""Largest offset between picture and sound that is searched, in ticks either way."""


@dataclass(frozen=True)
class PreparationSettings:
    """What every job needs: the data set's folder, and the bundle whose networks prepare it."""

    out: Path
    bundle: Path
    networks: str


def networks_hash(bundle: Path) -> str:
    """Names the networks whose output is stored in a data set."""
    return "-".join(network_entry(bundle, name)["sha256"][:8] for name in (weights_of(bundle, "encoder"), "embedding"))


def prepare_source(source: FootageSource, settings: PreparationSettings) -> dict[str, Any]:
    """Prepare one source, or find out why it cannot be prepared; returns its facts."""
    path = settings.out / "items" / f"{source.name}.json"
    facts: dict[str, Any] = {
        "name": source.name,
        "group": source.group,
        "source": str(source.video),
        "fingerprint": f"{source.fingerprint()}-{settings.networks}",
    }
    try:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        footage = examine(source.video, source.sound)
        facts |= _prepare(footage, source.name, settings) | {"status": "ready"}
    except FootageError as error:
        facts |= {"status": "refused", "why": str(error)}
    except OSError:
        raise
    except Exception as error:
        # One file must not end the night's work; without a fingerprint it is tried again by the next run.
        why = f"preparing it failed ({type(error).__name__}: {reason(error)})"
        facts |= {"status": "refused", "why": why, "fingerprint": ""}
    write_json(path, facts)
    return facts


def _prepare(footage: Footage, name: str, settings: PreparationSettings) -> dict[str, Any]:
    track = sound(footage)
    mono = track.mean(0)
    levels = _levels(mono)
    if levels["peak_db"] < SILENT_DB:
        raise FootageError(f"its sound is silent throughout (peak {levels['peak_db']:.0f} dB)")
    view = _codec_view(mono, footage.ticks)
    motion_arrays = _read_motion(footage, track, name, settings)
    arrays: dict[str, NDArray[Any]] = {
        **motion_arrays,
        "codes": _codes(view, settings.bundle),
        "mel": _mel(view),
        # 16 bits: what a reader gets back differs by at most -96 dB, and files are half as large.
        "sound": np.round(np.clip(view, -1.0, 1.0) * 32767.0).astype(np.int16),
    }
    target = settings.out / "features" / f"{name}.safetensors"
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    save_file(arrays, part)
    part.replace(target)
    offset_ms, confidence = offset_between(motion_arrays["speed"].astype(np.float32).mean((1, 2)), view)
    return {
        "ticks": footage.ticks,
        "seconds": footage.seconds,
        "width": footage.width,
        "height": footage.height,
        "rotation": footage.rotation,
        "rate_hz": footage.rate_hz,
        "samplerate": footage.samplerate,
        "channels": footage.channels,
        "notes": footage.notes,
        "levels": levels,
        "offset_ms": offset_ms,
        "offset_confidence": confidence,
    }


def _levels(mono: NDArray[np.float32]) -> dict[str, float]:
    """Levels of the stored sound in dB of full scale, and the share of silent ticks."""
    size = MASTER_TICK
    power = (mono[: mono.size // size * size].reshape(-1, size).astype(np.float64) ** 2).mean(1)
    return {
        "rms_db": round(float(10 * np.log10(power.mean() + 1e-12)), 1),
        "peak_db": round(float(20 * np.log10(np.abs(mono).max(initial=0.0) + 1e-6)), 1),
        "silent_share": round(float((power < 10 ** (SILENT_DB / 10)).mean()), 3),
    }


def _codec_view(mono: NDArray[np.float32], ticks: int) -> NDArray[np.float32]:
    """The sound at the codec's rate: float32 [1280 ticks] at 32 kHz."""
    out = np.zeros(ticks * TICK_SAMPLES, np.float32)
    view = soxr.resample(mono, MASTER_RATE, SAMPLE_RATE, quality="VHQ")[: out.size]
    out[: view.size] = view
    return out


def _read_motion(
    footage: Footage, track: NDArray[np.float32], name: str, settings: PreparationSettings
) -> dict[str, NDArray[Any]]:
    """Read every tick's motion, and write the normalized video and the thumbnails."""
    ticks = footage.ticks
    flow = np.zeros((ticks, 2, FLOW_GRID, FLOW_GRID), np.float16)
    speed = np.zeros((ticks, FLOW_GRID, FLOW_GRID), np.float16)
    embedding = np.zeros((ticks, EMBEDDING_DIM), np.float16)
    features = np.zeros((ticks, MOTION_FEATURES), np.float16)
    age_s = np.zeros(ticks, np.float32)
    reader = MotionReader(*(open_engine(name, bundle=str(settings.bundle)) for name in ("flow", "embedding")))
    thumb_ticks = {int((k + 0.5) * ticks / THUMBS) for k in range(THUMBS)}
    strip: list[NDArray[np.uint8]] = []
    motion = None
    with MediaWriter(settings.out / "media" / f"{name}.mkv", track) as media:
        for tick, picture in enumerate(pictures(footage)):
            if picture.fresh or motion is None:
                motion = reader.read(picture.image, round((picture.time_s + 10.0) * 1e9))
            flow[tick], speed[tick], embedding[tick] = motion.flow, motion.speed, motion.embedding
            features[tick] = motion.features
            age_s[tick] = tick / TICKS_PER_SECOND - picture.time_s
            media.write(picture.image)
            if tick in thumb_ticks:
                strip.append(_thumbnail(picture.image))
    cv2.imwrite(str(settings.out / "thumbs" / f"{name}.jpg"), np.hstack(strip), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return {"flow": flow, "speed": speed, "embedding": embedding, "age_s": age_s, "features": features}


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture fitted into `THUMB_SIZE` on black."""
    width, height = THUMB_SIZE
    scale = min(width / image.shape[1], height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    out = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    out[top : top + size[1], left : left + size[0]] = small
    return out


@torch.inference_mode()
def _codes(view: NDArray[np.float32], bundle: Path) -> NDArray[Any]:
    """The bundle's frames, streamed ten seconds at a time: tokens int16 [T, 4, 2], or log-mel float16 [T, D, 2]."""
    sounding = load_sound_network(bundle)
    state = sounding.encoder.init_state(1)
    parts = []
    # What an encoder that looks ahead says last, it says after the end.
    late = sounding.encoder.latency
    sound = torch.nn.functional.pad(torch.from_numpy(view)[None, None], (0, late * TOKEN_FRAME_SAMPLES))
    for block in sound.split(250 * TICK_SAMPLES, dim=2):
        track, state = sounding.encoder.step(block, state)
        parts.append(sounding.quantizer.encode(track)[0] if isinstance(sounding, TokenCodec) else track[0])
    frames = torch.cat(parts, 1)[:, late:].unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1).numpy()
    return np.asarray(frames, np.float16 if frames.dtype.kind == "f" else np.int16)


def _mel(view: NDArray[np.float32]) -> NDArray[np.float16]:
    """log10 mel magnitudes of windows that end at each hop: float16 [4 T, 80]."""
    padded_sound = torch.nn.functional.pad(torch.from_numpy(view), (MEL_WINDOW - MEL_HOP, 0))
    bank, window = mel_bank(MEL_WINDOW, MEL_BANDS, SAMPLE_RATE).T, torch.hann_window(MEL_WINDOW)
    rows = [
        (torch.fft.rfft(frames * window).abs() @ bank).clamp_min(1e-5).log10().half()
        for frames in padded_sound.unfold(0, MEL_WINDOW, MEL_HOP).split(4000)
    ]
    return np.asarray(torch.cat(rows).numpy())


def offset_between(movement: NDArray[np.float32], track: NDArray[np.float32]) -> tuple[float | None, float]:
    """How much later the onsets in the sound come than the changes in the motion.

    Args:
        movement: mean speed of each tick [T].
        track: sound at 32 kHz [1280 T].

    Returns:
        Milliseconds (None when nothing is found), and the confidence: how many standard deviations the best lag stands
        out of the others. Below about 3 it means nothing.
    """
    strength = flux(track)
    per_tick = strength[: movement.size * 8].reshape(-1, 8).max(1) if strength.size >= 8 * movement.size else strength
    change = np.abs(np.diff(movement, prepend=movement[:1]))
    count = min(change.size, per_tick.size)
    a, b = change[:count] - change[:count].mean(), per_tick[:count] - per_tick[:count].mean()
    if count < 50 or not a.any() or not b.any():
        return None, 0.0
    lags = range(-OFFSET_TICKS, OFFSET_TICKS + 1)
    products = [(a[max(0, -k) : count - max(0, k)] * b[max(0, k) : count + min(0, k)]).sum() for k in lags]
    scores = np.array(products, np.float64)
    best = int(np.argmax(scores))
    rest = np.delete(scores, range(max(0, best - 1), min(scores.size, best + 2)))
    return round(float(lags[best]) * TICK_NS / 1e6, 1), round(
        float((scores[best] - rest.mean()) / (rest.std() + 1e-12)), 2
    )


def prepare(folder: Path, settings: PreparationSettings, layout: str, workers: int, cluster: str) -> dict[str, int]:
    """Prepare what is missing; returns the number of items ready and refused.

    Raises:
        FootageError: when the folder has no video at all.
    """
    sources = LAYOUTS[layout](folder)
    if not sources:
        raise FootageError(f"{folder}: no videos found (layout {layout}); give another folder or --layout")
    for name in FOLDERS:
        (settings.out / name).mkdir(parents=True, exist_ok=True)
        for left in (settings.out / name).glob(".*.part"):
            left.unlink()
    facts_by_name = {facts["name"]: facts for facts in item_facts(settings.out)}
    jobs = [
        source
        for source in sources
        if facts_by_name.get(source.name, {}).get("fingerprint") != f"{source.fingerprint()}-{settings.networks}"
    ]
    about = settings.out / "dataset.json"
    _write_about(about, sources, settings, layout)
    counts = {"ready": 0, "refused": 0}
    if jobs:
        executor = open_executor(min(workers, len(jobs)), cluster)
        try:
            results = run_jobs(executor, partial(prepare_source, settings=settings), jobs)
            with tqdm(total=len(sources), initial=len(sources) - len(jobs), desc="prepared", unit="file") as bar:
                for source, result in results:
                    if isinstance(result, Exception):
                        raise result
                    facts_by_name[source.name] = result
                    bar.set_postfix_str(source.name[:30])
                    bar.update()
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
    for source in sources:
        counts[facts_by_name[source.name]["status"]] += 1
    write_summary(settings.out)
    return counts


def _write_about(path: Path, sources: list[FootageSource], settings: PreparationSettings, layout: str) -> None:
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    about = {
        "schema": SCHEMA,
        "layout": layout,
        "bundle": settings.bundle.name,
        "networks": settings.networks,
        "splits": assign_splits([source.group for source in sources], before.get("splits", {})),
    }
    write_json(path, about)


def main(arguments: list[str] | None = None) -> int:
    """Prepare a folder; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with the videos")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DATASET", help="folder of the data set, made if need be"
    )
    parser.add_argument("--bundle", default="default", help="the bundle whose networks prepare it: a name, or a folder")
    parser.add_argument("--layout", choices=("auto", *LAYOUTS), default="auto", help="how the folder is organized")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="number of processes; default: one per core"
    )
    parser.add_argument("--cluster", default="", help="use a Ray cluster: local, auto or ADDRESS")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        sys.stderr.write(f"{options.folder}: no such folder; give the folder with the videos\n")
        return 2
    if options.workers < 1:
        sys.stderr.write(f"--workers {options.workers}: give at least 1\n")
        return 2
    try:
        bundle = find_bundle(options.bundle)
        options.out.mkdir(parents=True, exist_ok=True)
        settings = PreparationSettings(options.out, bundle, networks_hash(bundle))
        layout = detect(options.folder) if options.layout == "auto" else options.layout
        counts = prepare(options.folder, settings, layout, options.workers, options.cluster)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the same command resumes\n")
        return 130
    except (FootageError, EngineError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenExecutor:
        sys.stderr.write(
            "a worker was killed, perhaps for lack of memory; resume with the same command and fewer --workers\n"
        )
        return 1
    except ImportError as error:
        sys.stderr.write(f"--cluster {options.cluster}: {error}; install it: pip install -e '.[cluster]'\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or options.out}: {error.strerror or error}; choose another --out\n")
        return 2
    sys.stdout.write(f"{counts['ready']} prepared, {counts['refused']} refused; see {options.out / 'summary.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
