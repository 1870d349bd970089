"""Trains the visual front-end to say where a performer's hands, feet and tools are and what is played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.embedding import VisualEmbedding
from streaming.features import EMBEDDING_SIDE, fit_square
from streaming.performer.performer import LABEL_NAMES, SyntheticPerformer
from streaming.performer.score import KINDS
from training.checkpoint import Average, load_checkpoint, save_checkpoint
from training.device import Device
from training.pool import open_executor
from training.run import Plan, run

SEED = 4_000_000
PER_SCENE = 6
BATCH = 48
RATE = 2e-3
KIND_COLUMNS = [i for i, name in enumerate(LABEL_NAMES) if name.startswith("is_")]
OTHER_COLUMNS = [i for i in range(len(LABEL_NAMES)) if i not in KIND_COLUMNS]


def sample_scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A few frames of one random scene and their facts: uint8 [n, 128, 128, 3], float32 [n, L]."""
    rng = np.random.default_rng(seed)
    performer = SyntheticPerformer(KINDS[seed % len(KINDS)], seed, size=(256, 192), duration_s=20.0)
    times = np.sort(rng.uniform(0.5, 19.5, PER_SCENE))
    frames = np.stack([fit_square(performer.frame(float(t)), EMBEDDING_SIDE) for t in times])
    return frames, np.stack([performer.labels(float(t)) for t in times]).astype(np.float32)


class Facts(nn.Module):
    """A visual network and a linear reading of its embedding; only the network is shipped."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network or VisualEmbedding()
        self.config = self.network.config
        self.read = nn.Linear(int(getattr(self.config, "dim", 128)), len(LABEL_NAMES))

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, 128, 128, 3] -> [B, L]."""
        out: Tensor = self.read(self.network(image))
        return out


def build_images(folder: Path, scenes: int, workers: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Render (once) and load the images and facts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"images-{scenes}.npz"
    if not path.exists():
        with open_executor(workers) as pool:
            jobs = pool.map(sample_scene, range(SEED, SEED + scenes), chunksize=16)
            found = list(tqdm(jobs, total=scenes, desc="scenes", mininterval=5))
        np.savez(path, images=np.concatenate([f for f, _ in found]), facts=np.concatenate([y for _, y in found]))
    with np.load(path) as data:
        return data["images"], data["facts"]


def fact_loss(got: Tensor, want: Tensor) -> Tensor:
    """Position errors (Huber, in frame sides) and the kind's cross-entropy; the kind's columns start with `is_`."""
    places = F.smooth_l1_loss(got[:, OTHER_COLUMNS], want[:, OTHER_COLUMNS], beta=0.02)
    return 10.0 * places + 0.2 * F.cross_entropy(got[:, KIND_COLUMNS], want[:, KIND_COLUMNS].argmax(1))


class EmbeddingTraining:
    """A visual network, what trains it, and where it stands; see `training.run.Training`.

    Args:
        steps: in all; the rate falls to nothing over them.
        module: what to train; a pre-trained backbone in it stays as it is.
        images: uint8 [N, 128, 128, 3]; the last tenth is held out.
        facts: float32 [N, L].
        device: where; None for one process.
    """

    def __init__(
        self,
        steps: int,
        module: Facts,
        images: NDArray[np.uint8],
        facts: NDArray[np.float32],
        device: Device | None = None,
    ) -> None:
        self.steps = steps
        self.device = device or Device()
        self.module = module.to(self.device.device)
        self.device.same(self.module)
        self.average = Average(self.module)
        trained = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=1e-3)
        cut = max(1, len(images) * 9 // 10)
        self._train, self._held = (images[:cut], facts[:cut]), (images[cut:], facts[cut:])
        self.step = 0

    def advance(self) -> dict[str, float]:
        """One step; returns its loss."""
        rng = np.random.default_rng([self.step, 5 + self.device.rank])
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        images, facts = self._train
        rows = rng.integers(0, len(images), BATCH)
        gain = torch.from_numpy(rng.uniform(0.7, 1.3, (BATCH, 1, 1, 3)).astype(np.float32))
        x = (torch.from_numpy(images[rows]).float() * gain).clamp(0, 255).to(self.device.device)
        self.module.train()
        with self.device.autocast():
            loss = fact_loss(self.module(x), torch.from_numpy(facts[rows]).to(self.device.device))
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, self.module.parameters())
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (self.step + 1) / 100) * max(0.02, 1.0 - self.step / self.steps)
        self.optimizer.step()
        self.average.update(self.module)
        self.step += 1
        return {"loss": float(loss.detach())}

    def test(self) -> dict[str, float]:
        """The averaged network's errors on the held-out scenes, beside those of the simplest answers."""
        training = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average.tensors)
        figures = errors_of(self.module.eval(), *self._held)
        self.module.load_state_dict(training)
        return figures

    def save(self, path: Path) -> None:
        """Write all of it, atomically."""
        save_checkpoint(path, self.step, self.module, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        self.step = load_checkpoint(path, self.module, self.average, self.optimizer)


@torch.no_grad()
def errors_of(module: nn.Module, images: NDArray[np.uint8], facts: NDArray[np.float32]) -> dict[str, float]:
    """Position error in frame sides and how often the kind is right; of the mean position and of chance beside them."""
    where = next(module.parameters()).device
    parts = [module(torch.from_numpy(images[i : i + 64]).to(where)) for i in range(0, len(images), 64)]
    got = torch.cat(parts).float().cpu().numpy()
    error = np.abs(got[:, OTHER_COLUMNS] - facts[:, OTHER_COLUMNS])
    control = np.abs(facts[:, OTHER_COLUMNS].mean(0) - facts[:, OTHER_COLUMNS])
    right = float((got[:, KIND_COLUMNS].argmax(1) == facts[:, KIND_COLUMNS].argmax(1)).mean())
    return {
        "position_error_sides": float(error.mean()),
        "position_error_sides_of_mean": float(control.mean()),
        "kind_accuracy": right,
        "kind_accuracy_chance": 1.0 / len(KIND_COLUMNS),
        "n_images": float(len(images)),
    }


def train_embedding(
    work: Path,
    *,
    steps: int,
    scenes: int,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
) -> tuple[Path, dict[str, float]]:
    """Train or go on training.

    Args:
        work: folder of the pictures, the checkpoint and the curves.
        steps: in all.
        scenes: how many are drawn.
        minutes: stop after this long, whatever the step.
        start: the visual network to go on from, or a pre-trained one, where there is no checkpoint; None for a new one.
        device: where; None for one process.

    Returns:
        The checkpoint, and the errors on the held-out last tenth of the scenes.
    """
    device = device or Device()
    torch.manual_seed(0)
    module = Facts(start)
    with device.main_first():
        images, facts = build_images(work, scenes)
    training = EmbeddingTraining(steps, module, images, facts, device)
    path = run(training, work, "embedding", Plan(steps, minutes, test_every=500, silent=not device.main))
    return path, training.test()
