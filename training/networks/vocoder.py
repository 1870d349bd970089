"""Trains the vocoder of the mel representation, from spectrograms of the sound palette back to sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.codec.mel import Vocoder, init_linear_decoder
from models.codec.partial_analysis import scaled_log
from training.datasets.codec import build_corpus
from training.loop.device import Device
from training.networks.decoder_training import DecoderRecipe, DecoderTraining, run_decoder_training
from training.trainer_spec import Trainer, TrainingJob, TrainingResult, given_sizes


class VocoderTraining(DecoderTraining[Vocoder]):
    """The training of a vocoder.

    Args:
        recipe: how to train.
        vocoder: the network; it is moved to the device.
        corpus: int16 [clips, samples].
        device: where to compute; None for one process on the CPU or the first GPU.
    """

    def __init__(
        self, recipe: DecoderRecipe, vocoder: Vocoder, corpus: NDArray[np.int16], device: Device | None = None
    ) -> None:
        super().__init__(recipe, vocoder, vocoder.decoder, corpus, device)

    def advance(self) -> dict[str, float]:
        """Make one step; returns its losses."""
        rng = self.draw(31)
        if self.step == 0:
            self._begin(rng)
        x = self.crops(rng)
        with torch.no_grad():
            frames = self.network.encode(x)
        mel, place = self.judge(frames, x, int(rng.integers(1 << 11)))
        self.update(mel + self.recipe.place_weight * place)
        return {"mel": float(mel.detach()), "place": float(place.detach())}

    def echo(self, network: Vocoder, x: Tensor) -> Tensor:
        """Sound [B, 1, n] from its own spectrogram."""
        return network.decode(network.encode(x))

    @torch.no_grad()
    def _begin(self, rng: np.random.Generator) -> None:
        frames, parameters = [], []
        for x in self.batches(rng, 60):
            places, level = self.judge.true_places(x)
            frames.append(self.network.encode(x).transpose(1, 2).flatten(0, 1))
            # The second of a frame's two hops: there all of the frame has been heard.
            parameters.append(torch.cat([places, scaled_log(level)], -1)[:, 1::2].flatten(0, 1))
        init_linear_decoder(self.network, torch.cat(frames), torch.cat(parameters))
        self.device.same(self.network)


def train_vocoder(
    work: Path, recipe: DecoderRecipe, *, minutes: float, start: nn.Module | None = None, device: Device | None = None
) -> Path:
    """Train a vocoder, or resume from its checkpoint.

    Args:
        work: folder of the corpus, the checkpoint and the curves.
        recipe: how to train.
        minutes: time limit of this run.
        start: a trained vocoder to start from when there is no checkpoint.
        device: where to compute; None for one process.

    Returns:
        The checkpoint's path.
    """
    device = device or Device()
    torch.manual_seed(0)
    vocoder = Vocoder(getattr(start, "config", None))
    if start is not None:
        vocoder.load_state_dict(start.state_dict())
    with device.main_first():
        corpus = build_corpus(work, recipe.clips)
    training = VocoderTraining(recipe, vocoder, corpus, device)
    if start is not None:
        training.step = 1

    return run_decoder_training(training, work, "vocoder", minutes)


def _train(job: TrainingJob) -> TrainingResult:
    recipe = DecoderRecipe(**given_sizes(steps=job.steps, clips=job.clips))
    path = train_vocoder(job.work / "vocoder", recipe, minutes=job.minutes, start=job.start, device=job.device)
    return TrainingResult(path)


TRAINER = Trainer(_train)
