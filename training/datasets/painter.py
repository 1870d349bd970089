"""The painter's data set: stills, what warping makes of them, and what should be seen.

Mobiles move truly as their flow says, and glow a little with the sound. Performers are warped by the animator up to
eight seconds after the still; see `training.datasets.animator_rollouts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from models.pictures.animator import Animator
from models.pictures.pose import PoseEstimator
from models.vision.embedding import POINTS
from models.weights import pack_weights
from streaming.conventions import STILL_SIDE, TICKS_PER_SECOND
from streaming.vision.frame_features import fit_square
from training.datasets.animator import MotionClips, mobile_of, pool_field, push_of, record_mobiles
from training.datasets.animator_rollouts import LITTLE_CHANCE, Rollout, roll_out
from training.loop.pool import open_executor
from training.networks.pictures.warp import Texture, WarpMap, pool_displacement
from training.synthesis.conventions import CLIP_TICKS
from training.synthesis.mobiles import Mobile
from training.synthesis.recordings import performer_of, record_dataset

PER_CLIP, PER_WAY = 8, 6
"""Examples of each mobile, and of each rollout of a performer; half as many where much chance moves it."""
GLOW = 0.25
"""How much brighter a full push makes a mobile's thing."""
LAYOUT = 5
"""File format of the examples; raised when its content changes."""


@dataclass
class PainterExamples:
    """Examples as tensors, one row each.

    Attributes:
        prior, warped, wanted: uint8 [N, S, S, 3] BGR: the still, the still warped, and the target.
        where, flow: float16 [N, 2, G, G]; see `models.pictures.animator`.
        audio: float16 [N, D], the tick's audio latent.
        hidden: bool [N, S, S], pixels that the still does not show.
        embedding: float16 [N, E], the still's embedding.
        embedding_now: float16 [N, E], the target's embedding.
        points: float16 [N, P, 3], what the pose network says: x, y and their spread.
        chance: float32 [N], the rollout's chance; of a mobile, which moves truly, any.
        turns: bool [N], whether the example may be mirrored.
        weight: float32 [N], how much it counts.
        displacement: float16 [N, P, 2], how far the points truly moved since the still, in -1..1; NaN where unknown.
    """

    prior: Tensor
    warped: Tensor
    wanted: Tensor
    where: Tensor
    flow: Tensor
    audio: Tensor
    hidden: Tensor
    embedding: Tensor
    embedding_now: Tensor
    points: Tensor
    chance: Tensor
    turns: Tensor
    weight: Tensor
    displacement: Tensor

    def rows(self, which: Any) -> PainterExamples:
        """Some of the examples."""
        return PainterExamples(*(getattr(self, field.name)[which] for field in fields(self)))


def warp_still(prior: NDArray[np.uint8], where: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A square still [S, S, 3] warped by a coarse map [2, G, G], as the live path warps it."""
    warp = WarpMap()
    # A flow that makes this map in one tick: the screen's own way, its enlarging and smoothing included.
    warp.move(-np.asarray(where, np.float32) * TICKS_PER_SECOND, 1.0 / TICKS_PER_SECOND, 0.0)
    return Texture(prior).render(warp.displacement)


def hidden_mask(mobile: Mobile, pose: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Pixels [H, W] of a pose's picture that the still does not show: covered there, or outside."""
    rest = np.zeros_like(pose)
    width, height = mobile.size
    embedding_now, then = mobile.owners(pose), mobile.owners(rest)
    way = mobile.flow(pose, rest) * (mobile.longer / TICKS_PER_SECOND)
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = np.rint(columns + way[0]).astype(int), np.rint(rows + way[1]).astype(int)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    owners_then = then[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.asarray(~inside | (owners_then != embedding_now))


def paint_mobile(path: Path, seed: int) -> dict[str, NDArray[Any]]:
    """Examples of a recorded mobile, as arrays for a file; `tick` says when."""
    with np.load(path) as file:
        sound = file["sound"].astype(np.float32) / 32767.0
        flow = file["flow"]
    mobile = mobile_of(seed)
    push = push_of(sound)
    poses = mobile.sway(push)
    rest = np.zeros_like(poses[0])
    rng = np.random.default_rng([seed, 909])
    # Mostly moments of movement: what stands still has nothing to be repaired.
    moving = np.abs(poses).max((1, 2)) + 1e-4
    ticks = np.sort(rng.choice(CLIP_TICKS, PER_CLIP, replace=False, p=moving / moving.sum()))
    still = fit_square(mobile.frame(rest), STILL_SIDE)
    rows: dict[str, list[Any]] = {name: [] for name in ("warped", "wanted", "where", "hidden")}
    for tick in ticks:
        pose = poses[tick]
        where = pool_field(mobile.flow(pose, rest)) / TICKS_PER_SECOND
        glow = GLOW * np.clip([push[tick][thing.band] for thing in mobile.things], 0.0, 1.0)
        gap = hidden_mask(mobile, pose).astype(np.uint8) * 255
        rows["where"].append(where.astype(np.float16))
        rows["warped"].append(warp_still(still, where))
        rows["wanted"].append(fit_square(mobile.frame(pose, glow.astype(np.float32)), STILL_SIDE))
        rows["hidden"].append(_fit_mask(gap))
    arrays = {name: np.stack(parts) for name, parts in rows.items()}
    any_chance, turns = rng.random(PER_CLIP, np.float32), np.ones(PER_CLIP, bool)
    per_clip_columns = {
        "prior": np.repeat(still[None], PER_CLIP, 0),
        "flow": flow[ticks],
        "tick": ticks,
        "start": 0 * ticks,
    }
    return {**arrays, **per_clip_columns, "chance": any_chance, "turns": turns}


def _fit_mask(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    square = fit_square(np.repeat(mask[..., None], 3, -1), STILL_SIDE)
    height, width = mask.shape
    outside = fit_square(np.zeros((height, width, 3), np.uint8), STILL_SIDE)[..., 0] > 0
    return np.asarray((square[..., 0] > 127) & ~outside)


def paint_performer(path: Path, seed: int, ways: Sequence[Rollout]) -> dict[str, NDArray[Any]]:
    """Examples of a recorded performer whose still was warped by rollouts."""
    with np.load(path) as file:
        data = {name: file[name] for name in ("jpeg", "jpeg_bytes", "view")}
    parts = np.split(data["jpeg"], np.cumsum(data["jpeg_bytes"])[:-1])

    def view(tick: int) -> NDArray[np.uint8]:
        embedding = np.asarray(cv2.imdecode(parts[int(data["view"][tick])], cv2.IMREAD_COLOR), np.uint8)
        return np.asarray(cv2.resize(embedding, (STILL_SIDE, STILL_SIDE), interpolation=cv2.INTER_AREA), np.uint8)

    rng = np.random.default_rng([seed, 910])
    names = ("prior", "warped", "wanted", "where", "flow", "tick", "start", "chance")
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for start, chance, anchoring, flow in ways:
        prior, warp = view(start), WarpMap()
        texture = Texture(prior)
        count = PER_WAY if chance <= LITTLE_CHANCE else PER_WAY // 2
        picks = set(rng.choice(len(flow), count, replace=False).tolist())
        for index, field in enumerate(flow):
            warp.move(field.astype(np.float32), 1.0 / TICKS_PER_SECOND, anchoring)
            if index not in picks:
                continue
            rows["prior"].append(prior)
            rows["warped"].append(texture.render(warp.displacement))
            rows["wanted"].append(view(start + 1 + index))
            rows["where"].append(pool_displacement(warp.displacement).astype(np.float16))
            rows["flow"].append(field)
            rows["tick"].append(start + 1 + index)
            rows["start"].append(start)
            rows["chance"].append(np.float32(chance))
    arrays = {name: np.stack(parts) for name, parts in rows.items()}
    count = len(rows["tick"])
    return {**arrays, "hidden": np.zeros((count, STILL_SIDE, STILL_SIDE), bool), "turns": np.zeros(count, bool)}


def _write(target: Path, arrays: dict[str, NDArray[Any]]) -> None:
    part = target.with_suffix(".part")
    with part.open("wb") as out:
        np.savez(out, allow_pickle=False, **arrays)
    part.replace(target)


def _performer_file(job: tuple[Path, Path, Sequence[Rollout]]) -> None:
    source, target, ways = job
    _write(target, paint_performer(source, seed_of(source), ways))


def _mobile_file(job: tuple[Path, Path]) -> None:
    source, target = job
    _write(target, paint_mobile(source, seed_of(source)))


def seed_of(recording: Path) -> int:
    """The seed in a recording's file name."""
    return int(recording.stem.split("-")[1])


@torch.no_grad()
def stack_examples(
    files: Sequence[Path], clips: MotionClips, pose: PoseEstimator, rows: Sequence[int] | None = None
) -> PainterExamples:
    """Examples of clips, one file each; `rows` says which of the clips the files are."""
    added = ("audio", "embedding", "embedding_now", "points", "weight", "displacement")
    names = [field.name for field in fields(PainterExamples) if field.name not in added]
    columns: dict[str, list[Tensor]] = {field.name: [] for field in fields(PainterExamples)}
    for row, path in zip(rows or range(len(files)), files, strict=True):
        with np.load(path) as file:
            for name in names:
                columns[name].append(torch.from_numpy(file[name]))
            tick, start = (torch.from_numpy(file[name]).long() for name in ("tick", "start"))
            columns["audio"].append(clips.audio[row][tick])
            columns["embedding"].append(clips.embedding[row, start])
            columns["embedding_now"].append(clips.embedding[row, tick])
            body, _ = pose.listen(clips.audio[row][None].float(), pose.init_state(1))
            points = pose.project(body[0, tick][:, None], clips.embedding[row, start].float())
            columns["points"].append(points.as_one()[:, 0].half())
            columns["weight"].append(torch.ones(len(tick)))
            columns["displacement"].append(torch.full((len(tick), len(POINTS), 2), torch.nan, dtype=torch.float16))
    return PainterExamples(*(torch.cat(columns[field.name]) for field in fields(PainterExamples)))


def performer_examples(
    folder: Path, performer_data: MotionClips, animator: Animator, pose: PoseEstimator, cache: Path, workers: int = 2
) -> PainterExamples:
    """Make the missing examples of performers, and stack those whose camera, light and background are steady.

    Args:
        folder: of the recordings.
        performer_data: the recorded clips.
        animator: warps their stills.
        pose: says where the players' points are.
        cache: folder for the examples; their names contain the animator's hash.
        workers: processes.
    """
    sources = record_dataset(folder, len(performer_data.level))
    made_by = hashlib.sha256(pack_weights(animator)).hexdigest()[:8]
    files = [cache / f"{path.stem}-picture-v{LAYOUT}-{made_by}.npz" for path in sources]
    if not all(path.exists() for path in files):
        cache.mkdir(parents=True, exist_ok=True)
        jobs = list(zip(sources, files, roll_out(animator, performer_data), strict=True))
        _make(_performer_file, [job for job in jobs if not job[1].exists()], "pictures of performers", workers)
    # What passes by, or is moved with the camera, is not to be painted.
    calm = [row for row, path in enumerate(sources) if performer_of(seed_of(path)).scene.calm]
    return stack_examples([files[row] for row in calm], performer_data, pose, calm)


def mobile_examples(
    folder: Path, mobile_data: MotionClips, pose: PoseEstimator, cache: Path, workers: int = 2
) -> PainterExamples:
    """Make the missing examples of mobiles, and stack them; see `performer_examples`."""
    sources = record_mobiles(folder, len(mobile_data.level))
    cache.mkdir(parents=True, exist_ok=True)
    jobs = [(path, cache / f"{path.stem}-picture-v{LAYOUT}.npz") for path in sources]
    _make(_mobile_file, [job for job in jobs if not job[1].exists()], "pictures of mobiles", workers)
    return stack_examples([path for _, path in jobs], mobile_data, pose)


def _make(work: Callable[[Any], None], jobs: Sequence[Any], name: str, workers: int) -> None:
    with open_executor(workers) as pool:
        for _ in tqdm(pool.map(work, jobs), total=len(jobs), desc=name, mininterval=5):
            pass


def load_painter_examples(
    work: Path, performer_data: MotionClips, mobile_data: MotionClips, animator: Animator, pose: PoseEstimator
) -> tuple[PainterExamples, PainterExamples]:
    """Examples of the animator's own clips: of performers, and of mobiles; see `load_motion_clips`."""
    return (
        performer_examples(work / "translator", performer_data, animator, pose, work / "painter"),
        mobile_examples(work / "animator", mobile_data, pose, work / "painter"),
    )
