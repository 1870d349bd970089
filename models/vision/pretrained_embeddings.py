"""Pre-trained visual front-ends, through Transformers or an ONNX file, with the interface of the shipped network.

The backbone's features are used as a map, so that half of the embedding is positions, as in the shipped network. Only
the layers that read the map are trained. A bundle holds the backbone's weights too, under its own hash: nothing is
downloaded in a show.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.onnx_graph import OnnxGraph
from models.sizes import Sizes
from models.vision.embedding import EmbeddingConfig, VisualEmbedding, soft_argmax

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's pictures, RGB: all of these front-ends were trained with them."""


class FrontEnd(NamedTuple):
    """A front-end's repository, and the side in pixels of its square input pictures."""

    repository: str
    side: int


FRONT_ENDS = {
    "dinov2-small": FrontEnd("facebook/dinov2-small", 126),
    "vit-base": FrontEnd("google/vit-base-patch16-224", 224),
    "resnet-18": FrontEnd("microsoft/resnet-18", 128),
}
"""By name: self-supervised (Oquab et al. 2023), a ViT (Dosovitskiy et al. 2021), a CNN (He et al. 2016)."""


@dataclass(frozen=True)
class FrontEndConfig(Sizes):
    """Which front-end, and its sizes.

    Attributes:
        front_end: a key of `FRONT_ENDS`, or "onnx".
        backbone: the configuration from which Transformers builds the backbone, or a graph; see `OnnxGraph`.
        side: of the backbone's square input pictures, in pixels.
        points: how many places are read from the map.
        dim: of the embedding.
        mean, spread: mean and standard deviation of the backbone's training pictures, red, green and blue, 0 to 1.
        bgr: whether the backbone takes blue first.
    """

    front_end: str
    backbone: dict[str, Any] = field(default_factory=dict)
    side: int = 126
    points: int = 32
    dim: int = 128
    mean: tuple[float, ...] = IMAGENET[0]
    spread: tuple[float, ...] = IMAGENET[1]
    bgr: bool = False


class PretrainedEmbedding(nn.Module):
    """A frame to an embedding through a frozen pre-trained backbone; no memory, no latency.

    Args:
        config: the sizes.

    Raises:
        ValueError: when Transformers is missing, or does not know the backbone.
    """

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        self._graph = config.backbone.get("model_type") == "onnx"
        if self._graph:
            self.backbone: Any = OnnxGraph(config.backbone)
            width = int(config.backbone["width"])
        else:
            library = _transformers()
            self.backbone = library.AutoModel.from_config(library.AutoConfig.for_model(**config.backbone))
            width = int(getattr(self.backbone.config, "hidden_size", 0) or self.backbone.config.hidden_sizes[-1])
        self.backbone.requires_grad_(False)
        self.mean = nn.Buffer(torch.tensor(config.mean)[:, None, None], persistent=False)
        self.spread = nn.Buffer(torch.tensor(config.spread)[:, None, None], persistent=False)
        self.heat = nn.Conv2d(width, config.points, 1)
        self.what = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.dim - 2 * config.points))

    def train(self, mode: bool = True) -> PretrainedEmbedding:
        """Set the mode of the reading layers; the backbone stays in evaluation mode, its statistics unchanged."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        """Images uint8 [B, S, S, 3] BGR -> embeddings float32 [B, dim]; the first 2 * points are x, y in -1..1."""
        x = image.permute(0, 3, 1, 2).flip(1).float() / 255.0
        side = self.config.side
        if x.shape[-1] != side:
            x = F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
        with torch.no_grad():
            x = (x - self.mean) / self.spread
            x = x.flip(1) if self.config.bgr else x
            feature_map = _map_of(self.backbone(x) if self._graph else self.backbone(pixel_values=x).last_hidden_state)
        return torch.cat([soft_argmax(self.heat(feature_map)), self.what(feature_map.mean((2, 3)))], -1)


def load_pretrained(name: str, source: Path | None = None) -> PretrainedEmbedding:
    """A front-end with its published weights and untrained reading layers.

    Args:
        name: a key of `FRONT_ENDS`.
        source: a folder with `config.json` and `model.safetensors`; None for the model hub.

    Raises:
        ValueError: for an unknown name, without Transformers, or when the weights cannot be had; never a pickle.
    """
    if name not in FRONT_ENDS:
        raise ValueError(f"--front-end {name}: unknown; use one of small, {', '.join(FRONT_ENDS)}, onnx")
    library = _transformers()
    front_end = FRONT_ENDS[name]
    try:
        backbone = library.AutoModel.from_pretrained(str(source or front_end.repository), use_safetensors=True)
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())[:160]
        raise ValueError(
            f"--front-end {name}: its weights cannot be read ({line}); "
            "download them, and name their folder with --front-end-weights"
        ) from error
    config = FrontEndConfig(name, backbone.config.to_diff_dict(), front_end.side)
    embedding = PretrainedEmbedding(config)
    embedding.backbone.load_state_dict(backbone.state_dict())
    return embedding


def _map_of(features: Tensor) -> Tensor:
    """A backbone's last features as a map [B, C, h, w]; of tokens [B, 1 + n * n, C] the last n * n are the grid."""
    if features.ndim == 4:
        return features
    side = int((features.shape[1]) ** 0.5)
    grid = features[:, features.shape[1] - side * side :].transpose(1, 2)
    return grid.reshape(*grid.shape[:2], side, side)


def _transformers() -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise ValueError('this front-end needs Transformers: pip install -e ".[frontends]"') from error
    module: ModuleType = transformers
    return module


def embedding_from_config(values: dict[str, Any]) -> nn.Module:
    """A new visual network with the sizes that a manifest gives: pre-trained where it states a `front_end`.

    Raises:
        TypeError: for a size that it does not have.
    """
    if "front_end" in values:
        return PretrainedEmbedding(FrontEndConfig.from_dict(values))
    return VisualEmbedding(EmbeddingConfig.from_dict(values))
