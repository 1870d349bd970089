"""Trains the visual network to find a performer's hands, feet and tools, the kind of performer, and the pitch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from models.vision.embedding import POINTS, REFINED_POINTS, VisualEmbedding
from models.vision.pretrained_embeddings import FRONT_ENDS, PretrainedEmbedding, load_pretrained
from performers.kinds import KINDS, MELODIC, PITCH_RANGE
from performers.performer import LABEL_NAMES, SyntheticPerformer
from streaming.vision.frame_features import VIEW_SIDE, fit_square
from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device
from training.loop.pool import open_executor
from training.loop.run import Plan, run
from training.synthesis.conventions import FRAME_SIZE
from training.trainer_spec import Trainer, TrainerOption, TrainingJob, TrainingResult

SEED = 4_000_000
PER_SCENE = 3
BATCH = 32
HELD_OUT = 1000
"""At most this many held-out pictures enter the test curves."""
RATE = 2e-3
WINDOW = 32
"""Side of the point refiner's windows, in pixels."""
BLOT = 0.8
"""Standard deviation of the target of a heat map, in cells."""
PLACE_COLUMNS = [i for i, name in enumerate(LABEL_NAMES) if name.endswith(("_x", "_y"))]
PITCH_COLUMN = LABEL_NAMES.index("pitch")
LOWEST, PITCHES = 36, 64
"""MIDI pitch of the first pitch class, and the number of classes."""
KIND_COLUMNS = [i for i, name in enumerate(LABEL_NAMES) if name.startswith("is_")]


class FramePredictions(NamedTuple):
    """Predictions for pictures: places [B, 28] in 0..1, logits of the kind [B, 5] and of the pitch [B, pitches].

    heat, coarse, near: heat maps, coarse points and window maps of a network that finds points; see
    `models.vision.embedding`.
    """

    places: Tensor
    kind: Tensor
    pitch: Tensor
    heat: Tensor | None = None
    coarse: Tensor | None = None
    near: Tensor | None = None


def sample_scene(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A few frames of one random scene and their labels, mostly while notes sound.

    Returns:
        Pictures uint8 [n, H, W, 3] and labels float32 [n, L], laid out as `LABEL_NAMES`.
    """
    rng = np.random.default_rng(seed)
    performer = SyntheticPerformer(KINDS[seed % len(KINDS)], seed, size=FRAME_SIZE, duration_s=20.0)
    times = rng.uniform(0.5, 19.5, PER_SCENE)
    notes = performer.score.notes
    for index in np.flatnonzero(rng.random(PER_SCENE) < 0.75 * bool(notes)):
        note = notes[int(rng.integers(len(notes)))]
        times[index] = note.onset_s + rng.random() * note.duration_s
    frames = np.stack([performer.frame(float(t)) for t in times])
    return frames, np.stack([performer.labels(float(t)) for t in times]).astype(np.float32)


class EmbeddingWithHeads(nn.Module):
    """A visual network with linear heads for the labels; only the network is shipped.

    Args:
        network: the network, with `config.dim`; None for a new small one.
    """

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = network or VisualEmbedding()
        self.config = self.network.config
        dim = int(getattr(self.config, "dim", 128))
        self.places = nn.Linear(dim, len(PLACE_COLUMNS))
        self.kind = nn.Linear(dim, len(KIND_COLUMNS))
        self.pitch = nn.Sequential(nn.Linear(dim, 192), nn.ReLU(), nn.Linear(192, PITCHES))
        points = int(getattr(self.config, "points", 0))
        if 2 * points >= len(PLACE_COLUMNS):
            # The first points are the places themselves, all x before all y, from -1..1 to 0..1.
            with torch.no_grad():
                nn.init.zeros_(self.places.weight)
                nn.init.constant_(self.places.bias, 0.5)
                for index in range(len(PLACE_COLUMNS)):
                    self.places.weight[index, index // 2 + points * (index % 2)] = 0.5

    def forward(self, image: Tensor) -> FramePredictions:
        """Pictures uint8 [B, S, S, 3] -> predictions."""
        if not isinstance(self.network, VisualEmbedding):
            embedding = self.network(image)
            return FramePredictions(self.places(embedding), self.kind(embedding), self.pitch(embedding))
        embedding, heat, coarse, near = self.network.look(image)
        heat = heat[:, : len(PLACE_COLUMNS) // 2]
        return FramePredictions(self.places(embedding), self.kind(embedding), self.pitch(embedding), heat, coarse, near)


def build_images(folder: Path, scenes: int, workers: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Render the training pictures once, or open them.

    Returns:
        Pictures uint8 [N, H, W, 3], memory-mapped, and labels float32 [N, L].
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, facts_path = folder / f"images-{scenes}.npy", folder / f"facts-{scenes}.npy"
    if not facts_path.exists():
        shape = (scenes * PER_SCENE, FRAME_SIZE[1], FRAME_SIZE[0], 3)
        images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        facts = np.zeros((scenes * PER_SCENE, len(LABEL_NAMES)), np.float32)
        with open_executor(workers) as pool:
            jobs = pool.map(sample_scene, range(SEED, SEED + scenes), chunksize=16)
            for index, (frames, rows) in enumerate(tqdm(jobs, total=scenes, desc="scenes", mininterval=5)):
                images[index * PER_SCENE : (index + 1) * PER_SCENE] = frames
                facts[index * PER_SCENE : (index + 1) * PER_SCENE] = rows
        images.flush()
        part = facts_path.with_suffix(".part")
        with part.open("wb") as out:
            np.save(out, facts, allow_pickle=False)
        part.replace(facts_path)
    return np.load(path, mmap_mode="r"), np.load(facts_path)


def to_squares(images: NDArray[np.uint8], side: int = VIEW_SIDE) -> NDArray[np.uint8]:
    """Pictures [B, H, W, 3] fitted into squares, as the live path fits them: [B, side, side, 3]."""
    return np.stack([fit_square(image, side) for image in images])


def vary_camera(
    rng: np.random.Generator, images: NDArray[np.uint8], facts: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pictures [B, H, W, 3] and labels as another camera would have them: turned, scaled and shifted.

    A point outside the picture has the coordinates of the nearest edge; it keeps them.
    """
    height, width = images.shape[1:3]
    side = max(width, height)
    margin = np.array([side - width, side - height]) / 2
    pictures, rows = np.empty_like(images), facts.copy()
    for index, image in enumerate(images):
        scale, angle = float(np.exp(rng.normal(0.0, 0.12))), float(rng.normal(0.0, 4.0))
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
        turn[:, 2] += rng.normal(0.0, 0.04, 2) * side
        pictures[index] = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        places = facts[index, PLACE_COLUMNS].reshape(-1, 2)
        inside = ((places > 0.0) & (places < 1.0)).all(1, keepdims=True)
        after = (places * side - margin - 0.5) @ turn[:, :2].T + turn[:, 2]
        after = np.clip((after + margin + 0.5) / side, 0.0, 1.0)
        rows[index, PLACE_COLUMNS] = np.where(inside, after, places).ravel()
    return pictures, rows


def label_loss(predictions: FramePredictions, labels: Tensor) -> Tensor:
    """Huber loss of the places plus cross-entropies of kind, pitch and heat maps; `labels` is labels [B, L]."""
    places = F.smooth_l1_loss(predictions.places, labels[:, PLACE_COLUMNS], beta=0.002)
    kind = F.cross_entropy(predictions.kind, labels[:, KIND_COLUMNS].argmax(1))
    pitch = F.cross_entropy(predictions.pitch, pitch_of(labels), ignore_index=-1)
    map_loss = heatmap_loss(predictions.heat, labels[:, PLACE_COLUMNS]) if predictions.heat is not None else 0.0
    if predictions.coarse is not None and predictions.near is not None:
        map_loss = map_loss + heatmap_loss(predictions.near, _window_positions(predictions.coarse, labels))
    return 15.0 * places + 0.2 * kind + 0.2 * pitch + 0.1 * map_loss


def _window_positions(coarse: Tensor, want: Tensor) -> Tensor:
    """Targets of the refined points in their windows [B, 2 C], 0..1, x and y in turn, from labels [B, L]."""
    columns = [PLACE_COLUMNS[2 * POINTS.index(name) + axis] for name in REFINED_POINTS for axis in (0, 1)]
    away = 2.0 * want[:, columns].view(*coarse.shape) - 1.0 - coarse
    return (0.5 + 0.5 * away * (VIEW_SIDE / WINDOW)).flatten(1)


def add_point_refiner(network: VisualEmbedding) -> VisualEmbedding:
    """A copy of a network with a new point refiner; only the refiner is to be trained."""
    larger = VisualEmbedding(replace(network.config, window=WINDOW))
    larger.load_state_dict(network.state_dict(), strict=False)
    for name, parameter in larger.named_parameters():
        parameter.requires_grad_(name.startswith("closer."))
    return larger


def heatmap_loss(heat: Tensor, places: Tensor) -> Tensor:
    """Cross-entropy in nats of heat maps [B, P, h, w] against a small blot at each place [B, 2 P].

    Places outside the picture are ignored. An expected position can be right with two wrong peaks, a map with one blot
    cannot (Nibali et al. 2018; this replaces their divergence term).
    """
    x, y = places[:, 0::2], places[:, 1::2]
    inside = ((x > 0.0) & (x < 1.0) & (y > 0.0) & (y < 1.0)).float()
    maps = []
    for at, side in ((y, heat.shape[2]), (x, heat.shape[3])):
        cells = (torch.arange(side, device=heat.device) + 0.5) / side
        blot = torch.exp(-0.5 * ((cells - at[..., None]) * side / BLOT).square())
        maps.append(blot / blot.sum(-1, keepdim=True).clamp_min(1e-6))
    target = maps[0][..., :, None] * maps[1][..., None, :]
    nats = -(target * heat.flatten(2).log_softmax(-1).view_as(heat)).sum((2, 3))
    return (nats * inside).sum() / inside.sum().clamp_min(1.0)


def pitch_of(want: Tensor) -> Tensor:
    """Class of the latest pitch, int64 [B], from labels [B, L]; -1 for none."""
    low, high = torch.tensor([PITCH_RANGE.get(kind, (0.0, 0.0)) for kind in KINDS], device=want.device).T
    kind, place = want[:, KIND_COLUMNS].argmax(1), want[:, PITCH_COLUMN]
    pitch = low[kind] + place * (high - low)[kind]
    there = (place > 0) & (high[kind] > 0)
    return torch.where(there, pitch.round().long() - LOWEST, -1)


class EmbeddingTraining:
    """The training of a visual network; see `training.loop.run.Training`.

    Args:
        steps: optimizer steps in all; the learning rate falls to zero over them.
        module: the network with its heads; a pre-trained backbone in it stays frozen.
        images: uint8 [N, H, W, 3]; the last tenth is held out.
        facts: labels float32 [N, L].
        device: where to compute; None for one process.
    """

    def __init__(
        self,
        steps: int,
        module: EmbeddingWithHeads,
        images: NDArray[np.uint8],
        facts: NDArray[np.float32],
        device: Device | None = None,
    ) -> None:
        self.steps = steps
        self.device = device or Device()
        self.module = module.to(self.device.device)
        self.device.same(self.module)
        self.average = MovingAverage(self.module)
        parameters = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=RATE, weight_decay=1e-3)
        training_count = max(1, len(images) * 9 // 10)
        self._train, self._held = (
            (images[:training_count], facts[:training_count]),
            (images[training_count:][:HELD_OUT], facts[training_count:][:HELD_OUT]),
        )
        kinds = self._train[1][:, KIND_COLUMNS].argmax(1)
        # A dancer has few pitches and a drummer none: melodic kinds are drawn twice as often.
        self._chance = np.cumsum(np.where(np.isin(kinds, [KINDS.index(name) for name in MELODIC]), 2.0, 1.0))
        self.step = 0

    def advance(self) -> dict[str, float]:
        """Make one step; returns its loss."""
        rng = np.random.default_rng([self.step, 5 + self.device.rank])
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        images, facts = self._train
        rows = np.searchsorted(self._chance, rng.random(BATCH) * self._chance[-1], side="right")
        pictures, target = vary_camera(rng, images[rows], facts[rows])
        gain = torch.from_numpy(rng.uniform(0.7, 1.3, (BATCH, 1, 1, 3)).astype(np.float32))
        x = (torch.from_numpy(to_squares(pictures)).float() * gain).clamp(0, 255).to(self.device.device)
        self.module.train()
        network = self.module.network
        if isinstance(network, VisualEmbedding) and not network.heat.weight.requires_grad:
            # What does not learn does not count either.
            network.eval()
            if network.closer is not None:
                network.closer.train()
        with self.device.autocast():
            loss = label_loss(self.module(x), torch.from_numpy(target).to(self.device.device))
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(loss, self.module.parameters())
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (self.step + 1) / 100) * max(0.02, 1.0 - self.step / self.steps)
        self.optimizer.step()
        self.average.update(self.module)
        self.step += 1
        return {"loss": float(loss.detach())}

    def test(self) -> dict[str, float]:
        """Errors of the averaged network on held-out pictures; see `errors_of`."""
        training = {name: value.clone() for name, value in self.module.state_dict().items()}
        self.module.load_state_dict(self.average.tensors)
        figures = errors_of(self.module.eval(), *self._held)
        self.module.load_state_dict(training)
        return figures

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        save_checkpoint(path, self.step, self.module, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.module, self.average, self.optimizer)


@torch.no_grad()
def errors_of(module: nn.Module, images: NDArray[np.uint8], facts: NDArray[np.float32]) -> dict[str, float]:
    """Position error in frame sides and accuracies of kind and pitch, each beside a constant answer.

    A pitch counts as right within a semitone; its control is the commonest pitch of that kind.
    """
    where = next(module.parameters()).device
    parts = [module(torch.from_numpy(to_squares(images[i : i + 32])).to(where)) for i in range(0, len(images), 32)]
    got = FramePredictions(*(torch.cat(part).float().cpu() for part in zip(*(row[:3] for row in parts), strict=True)))
    places, want = facts[:, PLACE_COLUMNS], torch.from_numpy(facts)
    kind, pitch = want[:, KIND_COLUMNS].argmax(1), pitch_of(want)
    figures = {
        "position_error_sides": float(np.abs(got.places.numpy() - places).mean()),
        "position_error_sides_of_mean": float(np.abs(places.mean(0) - places).mean()),
        "kind_accuracy": float((got.kind.argmax(1) == kind).float().mean()),
        "kind_accuracy_chance": 1.0 / len(KIND_COLUMNS),
        "n_images": float(len(images)),
    }
    for name in MELODIC:
        rows = (pitch >= 0) & (kind == KINDS.index(name))
        if rows.any():
            true = pitch[rows]
            figures[f"{name}_pitch_right"] = float((got.pitch[rows].argmax(1) == true).float().mean())
            figures[f"{name}_pitch_right_commonest"] = float((true == true.mode().values).float().mean())
    return figures


def train_embedding(
    work: Path,
    *,
    steps: int,
    scenes: int,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
) -> tuple[Path, dict[str, float]]:
    """Train a visual network, or resume from its checkpoint.

    Args:
        work: folder of the pictures, the checkpoint and the curves.
        steps: optimizer steps in all.
        scenes: number of rendered scenes.
        minutes: time limit of this run.
        start: the network to start from when there is no checkpoint; None for a new one. One without a point refiner
            is given one, and only that is trained.
        device: where to compute; None for one process.

    Returns:
        The checkpoint, and the errors on the held-out last tenth of the scenes.
    """
    device = device or Device()
    torch.manual_seed(0)
    if isinstance(start, VisualEmbedding) and not start.config.window:
        start = add_point_refiner(start)
    module = EmbeddingWithHeads(start)
    with device.main_first():
        images, facts = build_images(work, scenes)
    training = EmbeddingTraining(steps, module, images, facts, device)
    path = run(training, work, "embedding", Plan(steps, minutes, test_every=500, silent=not device.main))
    return path, training.test()


def front_end_of(name: str, weights: Path | None) -> PretrainedEmbedding:
    """A pre-trained front-end by name, or of an ONNX file.

    Raises:
        ValueError: when it cannot be had.
    """
    if name != "onnx":
        return load_pretrained(name, weights)
    from training.adopt.onnx_front_end import from_onnx

    return from_onnx(weights)


def _train(job: TrainingJob) -> TrainingResult:
    start, work, front_end = job.start, job.work / "embedding", str(job.options.front_end)
    if front_end != "small":
        start = start or front_end_of(front_end, job.options.front_end_weights)
        work = work.with_name(f"embedding-{front_end}")
    path, errors = train_embedding(
        work,
        steps=job.steps or 2500,
        scenes=job.clips or 2500,
        minutes=job.minutes,
        start=start,
        device=job.device,
    )
    figures = {name: round(value, 5) for name, value in errors.items()}
    print(", ".join(f"{name} {value:g}" for name, value in figures.items()))
    return TrainingResult(path, {"errors": figures})


TRAINER = Trainer(
    _train,
    options=(
        TrainerOption(
            "--front-end",
            {
                "choices": ("small", *FRONT_ENDS, "onnx"),
                "default": "small",
                "help": "the shipped kind of network, or a pre-trained one whose read-out is trained "
                '(pip install -e ".[frontends]")',
            },
        ),
        TrainerOption(
            "--front-end-weights",
            {
                "type": Path,
                "help": "a folder with config.json and model.safetensors; for onnx: any backbone's ONNX file, "
                "see docs/bundles.md",
            },
        ),
    ),
    shipped_prefix="network.",
)
