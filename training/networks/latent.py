"""Trains the coordinated latent space: video and audio of the same moment lie close, and each predicts the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.codec.codec import TokenCodec
from models.codec.mel import Vocoder
from models.translation.latent import LOWEST_PITCH, Latent, LatentConfig, Motions, compress, similarity
from models.vision.embedding import VisualEmbedding
from training.bundling import load_network, load_sound_network
from training.datasets.codec import SoundSources
from training.datasets.sounds.attributions import trained_on
from training.datasets.translator import MEL_BANDS, Examples, load_examples, to_network_dtype
from training.datasets.user_footage import examples_of
from training.loop.checkpoint import MovingAverage, load_checkpoint, save_checkpoint
from training.loop.device import Device
from training.loop.run import Plan, run
from training.networks.latent_imitation import ImitationRecipe, train_imitation
from training.networks.pitch_reader import load_players, train_reader
from training.synthesis.camera_augmentation import unsure, vary
from training.trainer_spec import (
    CORPUS,
    MUSIC,
    SOUNDFONT,
    Trainer,
    TrainerOption,
    TrainingJob,
    TrainingResult,
    given_sizes,
)

NEAR = 1
"""Moments at most this many ticks apart are not contrasted: at 25 a second they look and sound the same."""
ATTACK_WEIGHT = 4.0
HELD_PART = 50
"""One clip in this many is held out for the test curves."""


@dataclass(frozen=True)
class LatentRecipe:
    """How the latent space is trained.

    Attributes:
        steps: optimizer steps in all.
        clips: recorded performances.
        batch: clips per step.
        length: ticks per clip; whole clips, since the pitch reader's memory starts with the performance.
        learning_rate: of AdamW; it rises for 200 steps and falls to zero along a cosine.
        players: computed players for pre-training the pitch reader, at most 8 per step so that trials stay short.
        reading_steps: steps of that pre-training, at most 2 per step.
        memory: width of the pitch reader's memory.
        reading_rate: share of the learning rate at which the pre-trained reader goes on, so that it does not forget.
    """

    steps: int = 6_000
    clips: int = 1_600
    batch: int = 12
    length: int = 200
    learning_rate: float = 1e-3
    players: int = 16_000
    reading_steps: int = 4_000
    memory: int = 256
    reading_rate: float = 0.02

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        falling = 0.02 + 0.49 * (1.0 + math.cos(math.pi * step / self.steps))
        return self.learning_rate * min(1.0, (step + 1) / 200) * falling


class LatentBatch(NamedTuple):
    """The clips of one step: motions, sound [B, T, frames * codec_dim], and the labels; shapes as in `Examples`."""

    motions: Motions
    sound: Tensor
    mel: Tensor
    attack: Tensor
    pitch: Tensor
    speed: Tensor


def pitch_class_of(pitch: Tensor, classes: int) -> Tensor:
    """Classes of the pitch head for MIDI pitches (0 for none); pitches beyond the range count as its ends."""
    pitch_class = (pitch.round().long() - LOWEST_PITCH + 1).clamp(1, classes - 1)
    return torch.where(pitch > 0, pitch_class, 0)


@torch.no_grad()
def sounds_of(model: Latent, codes: Tensor, chunk: int = 64) -> Tensor:
    """The model's input for the sound of clips: codes [N, T, K, frames] -> float16 [N, T, frames * codec_dim]."""
    parts = [model.sound_of(to_network_dtype(codes[i : i + chunk])).half() for i in range(0, codes.shape[0], chunk)]
    return torch.cat(parts)


def draw_batch(
    data: Examples, sound: Tensor, rng: np.random.Generator, recipe: LatentRecipe, config: LatentConfig
) -> LatentBatch:
    """Random stretches of different clips, seen by varied cameras."""
    count, total = data.age.shape
    rows = torch.from_numpy(rng.choice(count, min(recipe.batch, count), replace=False))
    start = torch.from_numpy(rng.integers(0, total - recipe.length + 1, rows.numel()))
    at = (rows[:, None], start[:, None] + torch.arange(recipe.length))
    plain = data.speed[at].float()
    flow, speed = vary(data.flow[at].float(), plain.clone(), rng)
    motions = Motions(flow, speed, unsure(data.embedding[at], rng), data.age[at])
    return LatentBatch(
        motions,
        sound[at].float(),
        data.mel[at].float(),
        data.attack[at].float(),
        pitch_class_of(data.pitch[at].float(), config.pitches),
        compress(80.0 * F.adaptive_avg_pool2d(plain, config.speed_grid)).flatten(2),
    )


def contrast(video: Tensor, audio: Tensor, sharpness: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropies of finding the moment within a clip and the clip among clips, averaged over both directions.

    Args:
        video: video latents [B, T, dim].
        audio: audio latents of the same moments [B, T, dim].
        sharpness: logarithms of the two scales [2].
    """
    batch, length, _ = video.shape
    within = similarity(video, audio) * (10.0 * sharpness[0].exp())
    apart = (torch.arange(length)[:, None] - torch.arange(length)).abs().to(video.device)
    within = within.masked_fill((apart > 0) & (apart <= NEAR), float("-inf"))
    right = torch.arange(length, device=video.device).expand(batch, length)
    moment = 0.5 * (F.cross_entropy(within, right) + F.cross_entropy(within.transpose(1, 2), right))
    among = torch.einsum("btd,ctd->bc", video, audio) / (length * video.shape[-1]) * (10.0 * sharpness[1].exp())
    own = torch.arange(batch, device=video.device)
    return moment, 0.5 * (F.cross_entropy(among, own) + F.cross_entropy(among.T, own))


def losses(model: Latent, batch: LatentBatch) -> dict[str, Tensor]:
    """The weighted loss terms: contrast, labels from both sides, and each latent predicted from the other."""
    video, audio = model.video(batch.motions), model.audio(batch.sound)
    moment, clip = contrast(video, audio, model.sharpness)
    parts = {"moment": moment, "clip": clip}
    weight = torch.tensor(ATTACK_WEIGHT, device=video.device)
    classes = model.config.pitches
    for side, latents in (("video", video), ("audio", audio)):
        facts = model.predictions(latents)
        parts[f"{side}_loudness"] = (facts.loudness - batch.mel).abs().mean()
        parts[f"{side}_attack"] = F.binary_cross_entropy_with_logits(facts.attack, batch.attack, pos_weight=weight)
        parts[f"{side}_pitch"] = 0.5 * F.cross_entropy(facts.pitch.view(-1, classes), batch.pitch.flatten())
        parts[f"{side}_speed"] = (facts.speed - batch.speed).abs().mean()
    parts["hears"] = F.mse_loss(model.hears(video), audio.detach())
    parts["sees"] = F.mse_loss(model.sees(audio), video.detach())
    return parts


class LatentTraining:
    """The training of the latent space; see `training.loop.run.Training`.

    Args:
        recipe: how to train.
        model: the network.
        data: clips.
        sound: their sound, from `sounds_of`.
        device: where to compute; None for one process.
    """

    def __init__(
        self, recipe: LatentRecipe, model: Latent, data: Examples, sound: Tensor, device: Device | None = None
    ) -> None:
        self.recipe = recipe
        self.device = device or Device()
        self.model = model.to(self.device.device)
        self.device.same(self.model)
        self.average = MovingAverage(self.model, 0.998)
        taught = [] if self.model.video.reader is None else list(self.model.video.reader.parameters())
        others = [p for p in self.model.parameters() if not any(p is other for other in taught)]
        groups = [{"params": others, "share": 1.0}, {"params": taught, "share": recipe.reading_rate}]
        self.optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=1e-3, betas=(0.9, 0.98), weight_decay=0.02
        )
        held_count = max(1, min(len(sound) // 4, max(8, len(sound) // HELD_PART)))
        self._train = (data.rows(slice(None, -held_count)), sound[:-held_count])
        self._test = (data.rows(slice(-held_count, None)), sound[-held_count:])
        self.step = 0

    def _draw(self, part: tuple[Examples, Tensor], rng: np.random.Generator) -> LatentBatch:
        batch = draw_batch(*part, rng, self.recipe, self.model.config)
        where = self.device.device
        return LatentBatch(Motions(*(x.to(where) for x in batch.motions)), *(x.to(where) for x in batch[1:]))

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        torch.manual_seed(self.step + 1_000_003 * self.device.rank)
        batch = self._draw(self._train, np.random.default_rng([self.step, 11 + self.device.rank]))
        self.model.train()
        with self.device.autocast():
            parts = losses(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.device.backward(torch.stack(list(parts.values())).sum(), self.model.parameters())
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate_at(self.step) * group["share"]
        self.optimizer.step()
        self.average.update(self.model)
        self.step += 1
        return {name: float(value.detach()) for name, value in parts.items()}

    @torch.no_grad()
    def test(self) -> dict[str, float]:
        """The averaged model's losses on held-out clips, always on the same stretches."""
        model = Latent(self.model.config).to(self.device.device)
        model.load_state_dict(self.average.tensors)
        rng = np.random.default_rng(1)
        rows = [losses(model.eval(), self._draw(self._test, rng)) for _ in range(4)]
        return {name: float(torch.stack([row[name] for row in rows]).mean()) for name in rows[0]}

    def save(self, path: Path) -> None:
        """Write the whole state, atomically."""
        save_checkpoint(path, self.step, self.model, self.average, self.optimizer)

    def load(self, path: Path) -> None:
        """Restore what `save` wrote."""
        self.step = load_checkpoint(path, self.model, self.average, self.optimizer)


def train_latent(
    work: Path,
    recordings: Path,
    bundle: Path,
    recipe: LatentRecipe,
    *,
    minutes: float,
    start: nn.Module | None = None,
    device: Device | None = None,
    footage: Path | None = None,
) -> Path:
    """Train the latent space with a bundle's codec and visual network, or resume from its checkpoint.

    Args:
        work: folder of the checkpoint and the curves.
        recordings: folder of the recorded performances.
        bundle: the bundle whose codec and visual network prepare the clips.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained latent space to start from when there is no checkpoint.
        device: where to compute; None for one process.
        footage: a data set to learn from in place of the synthetic performers; None for them.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    sounding = load_sound_network(bundle)
    torch.manual_seed(0)
    eyes = load_network(bundle, "embedding")
    points = eyes.config.points if isinstance(eyes, VisualEmbedding) else 0
    config = LatentConfig(points=points, reader_memory=recipe.memory if points else 0, mel_bands=MEL_BANDS)
    if isinstance(sounding, Vocoder):
        config = replace(config, mel_dim=sounding.config.dim)
    else:
        codec_config = sounding.config
        config = replace(
            config,
            codec_dim=codec_config.latent_dim,
            num_codebooks=codec_config.num_codebooks,
            cardinality=codec_config.cardinality,
        )
    model = Latent(getattr(start, "config", config))
    if isinstance(sounding, TokenCodec):
        model.set_codebooks(sounding.quantizer.codebooks)
    if start is not None:
        model.load_state_dict(start.state_dict())
    elif model.video.reader is not None and not (work / "latent.safetensors").exists():
        with device.main_first():
            players = load_players(recordings, min(recipe.players, 8 * recipe.steps))
        print(train_reader(model.video.reader, players, min(recipe.reading_steps, 2 * recipe.steps)))
    with device.main_first():
        data = examples_of(footage, bundle) if footage else load_examples(recordings, recipe.clips, bundle)
    training = LatentTraining(recipe, model, data, sounds_of(model, data.codes[:, 0]), device)
    plan = Plan(recipe.steps, minutes, test_every=250, silent=not device.main)
    return run(training, work, "latent", plan)


def _train(job: TrainingJob) -> TrainingResult:
    options = job.options
    if options.like:
        recipe = ImitationRecipe(**given_sizes(steps=job.steps, clips=job.clips, music=options.music))
        sources = SoundSources(options.soundfont, options.corpus)
        path = train_imitation(
            job.work / "latent",
            job.work / "translator",
            job.bundle,
            options.like,
            recipe,
            minutes=job.minutes,
            device=job.device,
            sources=sources,
        )
        material = trained_on(sources.soundfont, sources.corpus, recordings=False)
        return TrainingResult(path, {"like": options.like.name} | ({"trained_on": material} if material else {}))
    path = train_latent(
        job.work / "latent",
        job.work / "translator",
        job.bundle,
        LatentRecipe(**given_sizes(steps=job.steps, clips=job.clips)),
        minutes=job.minutes,
        start=job.start,
        device=job.device,
        footage=job.footage,
    )
    return TrainingResult(path)


TRAINER = Trainer(
    _train,
    options=(
        TrainerOption(
            "--like",
            {
                "type": Path,
                "metavar": "BUNDLE",
                "help": "take over a bundle's latent space; only the audio side is trained, for another kind of sound",
            },
        ),
        MUSIC,
        SOUNDFONT,
        CORPUS,
    ),
)
