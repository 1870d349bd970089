"""The animator's data set: sound, stills and motion, of synthetic performers and of mobiles that sound moves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.translation.latent import Latent
from models.vision.embedding import SIDE
from streaming.conventions import FLOW_GRID, STILL_SIDE, TICK_SAMPLES, TICKS_PER_SECOND, TOKEN_FRAMES_PER_TICK
from streaming.vision.frame_features import fit_square
from training.bundling import load_network, load_sound_network
from training.datasets.codec import render_clip
from training.datasets.translator import load_examples, mel_frames, to_network_dtype
from training.loop.pool import open_executor
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.mobiles import BANDS, Mobile
from training.synthesis.recordings import record_dataset

MOBILE_SEED = 6_000_000
MOBILE_TEST_SEED = 9_700_000
"""Seeds from here on are never trained on."""
STARTS = (0, 50, 100, 150)
"""Ticks of a clip at which a stretch may start; each has a still."""
LAYOUT = 1
"""File format of the recordings; raised when its content changes."""
_SLOW = 0.06
_MEL_BANDS = 24


@dataclass
class MotionClips:
    """Clips as tensors, one row each.

    Attributes:
        audio: float16 [N, T, D], the audio latent of each tick.
        level: float16 [N, T], rms level of the sound in dB of full scale.
        flow: float16 [N, T, 2, G, G], motion in longer sides per second.
        stills: uint8 [N, S, 128, 128, 3], the still at each of `STARTS`.
        where: float16 [N, S, 2, G, G], the displacement map from that still at its own tick; see
            `models.pictures.animator`.
        embedding: float16 [N, T, E], the visual embedding of each tick; of a mobile, that of its still.
        turns: bool [N], whether the clip may be mirrored; a keyboard may not, since its high notes are at one side.
    """

    audio: Tensor
    level: Tensor
    flow: Tensor
    stills: Tensor
    where: Tensor
    embedding: Tensor
    turns: Tensor

    def rows(self, which: slice) -> MotionClips:
        """Some of the clips."""
        return MotionClips(*(getattr(self, field.name)[which] for field in fields(self)))


def push_of(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Force of each part of the spectrum at each tick: float32 [T * 1280] -> [T, BANDS], about -1 to 1.5.

    Changes push more than a steady level, as with a loudspeaker cone behind a high-pass filter.
    """
    mel = mel_frames(torch.from_numpy(sound), _MEL_BANDS).numpy().reshape(-1, TOKEN_FRAMES_PER_TICK, _MEL_BANDS).mean(1)
    bands = mel.reshape(mel.shape[0], BANDS, -1).max(-1)
    level = np.clip((bands + 1.0) / 2.5, 0.0, 1.5)
    slow = np.zeros(BANDS)
    push = np.zeros_like(level)
    for tick, now in enumerate(level):
        push[tick] = now - 0.75 * slow
        slow += _SLOW * (now - slow)
    return np.asarray(push, np.float32)


def pool_field(field: NDArray[np.float32], grid: int = FLOW_GRID) -> NDArray[np.float32]:
    """A dense field [2, H, W] of a picture -> cells [2, grid, grid] of the square that the picture is centred in."""
    _, height, width = field.shape
    side = max(height, width)
    square = np.zeros((side, side, 2), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = np.moveaxis(field, 0, -1)
    return np.moveaxis(cv2.resize(square, (grid, grid), interpolation=cv2.INTER_AREA), -1, 0)


def mobile_of(seed: int) -> Mobile:
    """The mobile of a seed, in one of four shapes."""
    shapes = ((128, 96), (96, 128), (128, 128), (128, 72))
    return Mobile(seed, shapes[int(np.random.default_rng([seed, 809]).integers(4))])


def record_mobile(seed: int) -> dict[str, NDArray[Any]]:
    """A mobile and the sound that moves it, as arrays for a file."""
    rng = np.random.default_rng([seed, 808])
    sound = render_clip(seed).astype(np.float32)[: CLIP_TICKS * TICK_SAMPLES] / 32768.0
    if (peak := float(np.abs(sound).max())) > 0.02:
        # However loud a piece was recorded, it moves what it moves.
        sound = sound / peak * float(rng.uniform(0.3, 0.9))
    mobile = mobile_of(seed)
    pose = mobile.sway(push_of(sound))
    rest = np.zeros_like(pose[0])
    flow = np.zeros((CLIP_TICKS, 2, FLOW_GRID, FLOW_GRID), np.float16)
    before = rest
    for tick in range(CLIP_TICKS):
        if np.abs(pose[tick] - before).max() > 1e-5:
            flow[tick] = pool_field(mobile.flow(before, pose[tick]))
        before = pose[tick]
    # One tick of the way back to rest, seen from the pose, is where each point comes from.
    where = np.stack([pool_field(mobile.flow(pose[max(0, at - 1)], rest)) / TICKS_PER_SECOND for at in STARTS])
    still = fit_square(mobile.frame(rest), STILL_SIDE)
    return {
        "sound": (sound * 32767).astype(np.int16),
        "flow": flow,
        "where": where.astype(np.float16),
        "still": still,
    }


def _mobile_file(job: tuple[int, Path]) -> Path:
    seed, path = job
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **record_mobile(seed))
    part.replace(path)
    return path


def record_mobiles(folder: Path, clips: int, first: int = MOBILE_SEED, workers: int = 2) -> list[Path]:
    """Record mobiles, one file each; files that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(first + i, folder / f"mobile-{first + i}-v{LAYOUT}.npz") for i in range(clips)]
    missing = [job for job in jobs if not job[1].exists()]
    with open_executor(workers) as pool, tqdm(total=clips, desc="mobiles", mininterval=5) as bar:
        bar.update(clips - len(missing))
        for _ in pool.map(_mobile_file, missing):
            bar.update()
    return [path for _, path in jobs]


@torch.inference_mode()
def _audio_latents(codes: Tensor, latent: Latent) -> Tensor:
    """Audio latents of clips: frames [N, T, K, F] -> float16 [N, T, D]."""
    parts = [
        latent.audio(latent.sound_of(to_network_dtype(codes[i : i + 32]))).half() for i in range(0, len(codes), 32)
    ]
    return torch.cat(parts)


def _levels(sound: NDArray[np.float32]) -> NDArray[np.float16]:
    """The level of each tick in dB."""
    power = (sound.reshape(-1, TICK_SAMPLES).astype(np.float64) ** 2).mean(1)
    return np.asarray(10.0 * np.log10(power + 1e-9), np.float16)


def performer_clips(folder: Path, clips: int, bundle: Path, latent: Latent) -> MotionClips:
    """Recorded performers as clips."""
    data = load_examples(folder, clips, bundle)
    paths = record_dataset(folder, clips)
    stills = np.zeros((clips, len(STARTS), STILL_SIDE, STILL_SIDE, 3), np.uint8)
    for row, path in enumerate(tqdm(paths, desc="stills", mininterval=5)):
        with np.load(path) as file:
            parts = np.split(file["jpeg"], np.cumsum(file["jpeg_bytes"])[:-1])
            for place, at in enumerate(STARTS):
                embedding = np.asarray(cv2.imdecode(parts[int(file["view"][at])], cv2.IMREAD_COLOR), np.uint8)
                stills[row, place] = cv2.resize(embedding, (STILL_SIDE, STILL_SIDE), interpolation=cv2.INTER_AREA)
    # The mean of a token frame's loudest bands says its level well enough to compare ticks.
    level = 10.0 * data.mel.float().amax(-1)
    where = torch.zeros(clips, len(STARTS), 2, FLOW_GRID, FLOW_GRID, dtype=torch.float16)
    audio, turns = _audio_latents(data.codes[:, 0], latent), torch.zeros(clips, dtype=torch.bool)
    return MotionClips(audio, level.half(), data.flow, torch.from_numpy(stills), where, data.embedding, turns)


@torch.inference_mode()
def mobile_clips(paths: list[Path], bundle: Path, latent: Latent) -> MotionClips:
    """Recorded mobiles as clips, heard through a bundle's codec."""
    sounding = load_sound_network(bundle)
    columns: dict[str, list[Any]] = {name: [] for name in ("codes", "level", "flow", "stills", "where")}
    for path in tqdm(paths, desc="heard", mininterval=5):
        with np.load(path) as file:
            sound = file["sound"].astype(np.float32) / 32767.0
            frames = sounding.encode(torch.from_numpy(sound)[None, None])[0]
            codes = frames.unflatten(1, (-1, TOKEN_FRAMES_PER_TICK)).transpose(0, 1)
            columns["codes"].append(codes.half() if codes.is_floating_point() else codes.to(torch.int16))
            columns["level"].append(torch.from_numpy(_levels(sound)))
            columns["flow"].append(torch.from_numpy(file["flow"]))
            columns["stills"].append(torch.from_numpy(file["still"]).expand(len(STARTS), -1, -1, -1))
            columns["where"].append(torch.from_numpy(file["where"]))
    tensors = {name: torch.stack(parts) for name, parts in columns.items()}
    audio = _audio_latents(tensors.pop("codes"), latent)
    embedding = embed_stills(tensors["stills"][:, 0], load_network(bundle, "embedding"))[:, None].expand(
        -1, audio.shape[1], -1
    )
    return MotionClips(audio, **tensors, embedding=embedding, turns=torch.ones(len(paths), dtype=torch.bool))


@torch.inference_mode()
def embed_stills(stills: Tensor, eyes: nn.Module) -> Tensor:
    """Visual embeddings of stills uint8 [N, S, S, 3]: float16 [N, E]."""
    parts = []
    for some in stills.split(32):
        large = F.interpolate(some.permute(0, 3, 1, 2).float(), (SIDE, SIDE), mode="bilinear", align_corners=False)
        parts.append(eyes(large.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)).half())
    return torch.cat(parts)


def concatenate(*parts: MotionClips) -> MotionClips:
    """Several sets of clips as one."""
    return MotionClips(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(MotionClips)))


def load_motion_clips(work: Path, bundle: Path, performers: int, mobiles: int) -> tuple[MotionClips, MotionClips]:
    """Record what is missing and load the animator's training clips: performers, and mobiles.

    Args:
        work: folder with `translator/` (performances) and `animator/` (mobiles), made where they are missing.
        bundle: the bundle whose codec and latent space are used.
        performers: clips of performers.
        mobiles: clips of mobiles.
    """
    latent = load_network(bundle, "latent")
    if not isinstance(latent, Latent):
        raise TypeError("the bundle's latent space is of another class")
    performer_data = performer_clips(work / "translator", performers, bundle, latent)
    mobile_data = mobile_clips(record_mobiles(work / "animator", mobiles), bundle, latent)
    return performer_data, mobile_data
