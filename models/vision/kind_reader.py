"""Says what kind of player a picture shows, and when it shows none that the networks know.

Two questions are kept apart. Which of the kinds it is, is asked of a small classifier. Whether it is any of them, is
asked of the distance between the picture's embedding and those of all known players (Mahalanobis distance, Lee et al.
2018): a classifier alone is sure of everything that it has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.sizes import Sizes
from models.tick_modules import Spec, TickModule


@dataclass(frozen=True)
class KindReaderConfig(Sizes):
    """The sizes.

    Attributes:
        dim: width of an embedding.
        hidden: width of the classifier.
        kind_names: the kinds, in the order of the output.
        odds: numbers of the output: the kinds, and none of them.
    """

    dim: int = 128
    hidden: int = 64
    kind_names: tuple[str, ...] = ("drums", "strings", "air", "keys", "dance")
    odds: int = 6


class KindReader(nn.Module):
    """Embeddings to the odds of each kind, and of none of them.

    Args:
        config: the sizes.
    """

    SHARPNESS = 4.0
    """How fast the odds of "none" rise about the limit, in units of the limit."""

    def __init__(self, config: KindReaderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or KindReaderConfig()
        self.mean = nn.Buffer(torch.zeros(config.dim))
        self.whiten = nn.Buffer(torch.eye(config.dim))
        self.limit = nn.Buffer(torch.ones(1))
        self.layers = nn.Sequential(
            nn.Linear(config.dim, config.hidden), nn.GELU(), nn.Linear(config.hidden, len(config.kind_names))
        )

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> KindReader:
        """A new one with the sizes that a manifest gives.

        Raises:
            TypeError: for a size that it does not have.
        """
        return cls(KindReaderConfig.from_dict(values))

    def familiar(self, embeddings: Tensor) -> None:
        """Learn which embeddings are known: mean and covariance of many of them [N, dim]."""
        rows = embeddings.double()
        self.mean.copy_(rows.mean(0))
        covariance = torch.cov(rows.T) + 1e-3 * torch.eye(self.config.dim, dtype=torch.float64)
        values, vectors = torch.linalg.eigh(covariance)
        self.whiten.copy_((vectors / values.sqrt()).T)

    def distance(self, embeddings: Tensor) -> Tensor:
        """Mahalanobis distance of embeddings [..., dim] from the known ones, divided by the root of dim: about 1."""
        white = (embeddings - self.mean) @ self.whiten.T
        return white.square().mean(-1).sqrt()

    def forward(self, embeddings: Tensor) -> Tensor:
        """Embeddings [..., dim] -> odds [..., kinds + 1] that sum to 1; the last is "none of these"."""
        known = torch.sigmoid(self.SHARPNESS * (1.0 - self.distance(embeddings) / self.limit))[..., None]
        kinds = self.layers((embeddings - self.mean) @ self.whiten.T).softmax(-1)
        return torch.cat([known * kinds, 1.0 - known], -1)


class KindTick(TickModule):
    """embedding [1, dim] -> odds [1, kinds + 1]."""

    output = "odds"

    def __init__(self, network: KindReader) -> None:
        super().__init__()
        self.network = network
        self.inputs = (Spec("embedding", (1, network.config.dim)),)

    def forward(self, embedding: Tensor) -> Any:
        """One picture."""
        return (self.network(embedding),)
