"""Trains the visual front-end to say where a performer's hands, feet and tools are and what is played."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.embedding import VisualEmbedding
from streaming.clock import now_ns
from streaming.features import EMBEDDING_SIDE, fit_square
from streaming.performer.performer import LABEL_NAMES, SyntheticPerformer
from streaming.performer.score import KINDS
from training.checkpoint import Average, load_checkpoint, save_checkpoint

SEED = 4_000_000
PER_SCENE = 6
BATCH = 48


def sample_scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A few frames of one random scene and their facts: uint8 [n, 128, 128, 3], float32 [n, L]."""
    rng = np.random.default_rng(seed)
    performer = SyntheticPerformer(KINDS[seed % len(KINDS)], seed, size=(256, 192), duration_s=20.0)
    times = np.sort(rng.uniform(0.5, 19.5, PER_SCENE))
    frames = np.stack([fit_square(performer.frame(float(t)), EMBEDDING_SIDE) for t in times])
    return frames, np.stack([performer.labels(float(t)) for t in times]).astype(np.float32)


class Facts(nn.Module):
    """The visual network and a linear reading of its embedding; only the network is shipped."""

    def __init__(self) -> None:
        super().__init__()
        self.network = VisualEmbedding()
        self.read = nn.Linear(self.network.config.dim, len(LABEL_NAMES))

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, 128, 128, 3] -> [B, L]."""
        out: Tensor = self.read(self.network(image))
        return out


def build_images(folder: Path, scenes: int, workers: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Render (once) and load the images and facts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"images-{scenes}.npz"
    if not path.exists():
        with ProcessPoolExecutor(workers) as pool:
            jobs = pool.map(sample_scene, range(SEED, SEED + scenes), chunksize=16)
            found = list(tqdm(jobs, total=scenes, desc="scenes", mininterval=5))
        np.savez(path, images=np.concatenate([f for f, _ in found]), facts=np.concatenate([y for _, y in found]))
    with np.load(path) as data:
        return data["images"], data["facts"]


def fact_loss(got: Tensor, want: Tensor) -> Tensor:
    """Position errors (Huber, in frame sides) and the kind's cross-entropy; the kind's columns start with `is_`."""
    kinds = [i for i, name in enumerate(LABEL_NAMES) if name.startswith("is_")]
    others = [i for i in range(len(LABEL_NAMES)) if i not in kinds]
    places = F.smooth_l1_loss(got[:, others], want[:, others], beta=0.02)
    return 10.0 * places + 0.2 * F.cross_entropy(got[:, kinds], want[:, kinds].argmax(1))


def train_embedding(
    work: Path, *, steps: int, scenes: int, minutes: float, start: nn.Module | None = None
) -> tuple[Path, dict[str, float]]:
    """Train or go on training; returns the checkpoint and the errors on the held-out last tenth of the scenes."""
    images, facts = build_images(work, scenes)
    torch.manual_seed(0)
    module = Facts()
    if start is not None:
        module.network.load_state_dict(start.state_dict())
    average = Average(module)
    optimizer = torch.optim.AdamW(module.parameters(), lr=2e-3, weight_decay=1e-3)
    path = work / "embedding.safetensors"
    first = load_checkpoint(path, module, average, optimizer) if path.exists() else 0
    cut = len(images) * 9 // 10
    rng = np.random.default_rng([first, 5])
    deadline = now_ns() + int(minutes * 60e9)
    total, step = 0.0, first
    with (
        tqdm(total=steps, initial=first, desc="embedding", mininterval=5) as bar,
        (work / "embedding.jsonl").open("a") as log,
    ):
        for step in range(first, steps):
            rows = rng.integers(0, cut, BATCH)
            x, y = torch.from_numpy(images[rows]), torch.from_numpy(facts[rows])
            gain = torch.from_numpy(rng.uniform(0.7, 1.3, (BATCH, 1, 1, 3)).astype(np.float32))
            x = (x.float() * gain).clamp(0, 255)
            loss = fact_loss(module(x), y)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = 2e-3 * min(1.0, (step + 1) / 100) * max(0.02, 1.0 - step / steps)
            optimizer.step()
            average.update(module)
            total += float(loss.detach())
            bar.update()
            if (step + 1) % 50 == 0:
                log.write(json.dumps({"step": step + 1, "loss": round(total / 50, 4)}) + "\n")
                log.flush()
                bar.set_postfix(loss=round(total / 50, 4))
                total = 0.0
            if now_ns() > deadline:
                break
    save_checkpoint(path, step + 1, module, average, optimizer)
    module.load_state_dict(average.tensors)
    return path, _errors(module.eval(), images[cut:], facts[cut:])


@torch.no_grad()
def _errors(module: nn.Module, images: NDArray[np.uint8], facts: NDArray[np.float32]) -> dict[str, float]:
    got = torch.cat([module(torch.from_numpy(images[i : i + 64])) for i in range(0, len(images), 64)]).numpy()
    kinds = [i for i, name in enumerate(LABEL_NAMES) if name.startswith("is_")]
    others = [i for i in range(len(LABEL_NAMES)) if i not in kinds]
    error = np.abs(got[:, others] - facts[:, others])
    control = np.abs(facts[:, others].mean(0) - facts[:, others])
    right = float((got[:, kinds].argmax(1) == facts[:, kinds].argmax(1)).mean())
    return {
        "position_error_sides": float(error.mean()),
        "position_error_sides_of_mean": float(control.mean()),
        "kind_accuracy": right,
        "kind_accuracy_chance": 1.0 / len(kinds),
        "n_images": float(len(images)),
    }
