"""Loads a codec through an installed audiocraft, by its name there or as an object.

It is not needed for audiocraft's checkpoints, which `training.adopt.codec` reads without it. A stereo codec of MusicGen
is its mono codec, once for the left and once for the right channel; the mono codec is taken.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import yaml
from torch import Tensor

from models.codec.encodec_layers import EncodecConfig
from models.codec.published_codecs import PublishedError, audiocraft_config, codec_tensors, transformers_config

STEREO = "InterleaveStereoCompressionModel"


def model_of(name: str) -> Any:
    """Audiocraft's compression model of a name or a file.

    Raises:
        PublishedError: when audiocraft is not installed, or cannot load it.
    """
    try:
        models = importlib.import_module("audiocraft.models")
    except ImportError as error:
        fix = "name the checkpoint's folder without --audiocraft: it is read without that package"
        raise PublishedError(f"audiocraft is not installed here; {fix}") from error
    try:
        return models.CompressionModel.get_pretrained(name, device="cpu")
    except Exception as error:  # whatever it, omegaconf, torch or the hub raise
        raise PublishedError(f"audiocraft does not give it ({' '.join(str(error).split())[:160]})") from error


def parts_of(model: Any, look_ahead: int) -> tuple[EncodecConfig, dict[str, Tensor], bool]:
    """A compression model's sizes and tensors under this project's names, and whether it was a stereo one.

    Args:
        model: audiocraft's own `EncodecModel`, its wrapper of Transformers' one, or its stereo wrapper of either.
        look_ahead: see `EncodecConfig`.

    Raises:
        PublishedError: for another kind of model, or one that cannot be streamed.
    """
    stereo = type(model).__name__ == STEREO
    if stereo:
        model = model.model
    inner = getattr(model, "model", None)
    wrapped_config: Any = getattr(inner, "config", None)
    if inner is not None and hasattr(wrapped_config, "to_dict"):
        config = transformers_config(wrapped_config.to_dict(), look_ahead)
        return config, codec_tensors(inner.state_dict(), config.num_codebooks), stereo
    if not hasattr(model, "cfg") or not hasattr(model, "state_dict"):
        raise PublishedError(f"a {type(model).__name__} is no EnCodec whose configuration audiocraft has kept (cfg)")
    config = audiocraft_config(resolve_config(_plain(model.cfg)), look_ahead)
    return config, codec_tensors(model.state_dict(), config.num_codebooks), stereo


def _plain(cfg: Any) -> Any:
    """Audiocraft's configuration as in its checkpoints: text, or plain values."""
    if isinstance(cfg, str | dict):
        return cfg
    try:
        return str(importlib.import_module("omegaconf").OmegaConf.to_yaml(cfg))
    except Exception as error:  # whatever a configuration of another kind makes omegaconf raise
        raise PublishedError("its configuration cannot be read") from error


def resolve_config(text: Any) -> dict[str, Any]:
    """A YAML configuration as plain values, with its references (`${encodec.causal}`) replaced.

    Raises:
        PublishedError: when it is no configuration.
    """
    try:
        values = yaml.safe_load(text) if isinstance(text, str) else text
    except yaml.YAMLError as error:
        raise PublishedError("its configuration is no YAML") from error
    if not isinstance(values, Mapping):
        raise PublishedError("it holds no configuration (xp.cfg)")

    def look_up(name: str) -> Any:
        node: Any = values
        for part in name.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def put_in(value: Any, depth: int = 0) -> Any:
        if isinstance(value, dict):
            return {key: put_in(one, depth) for key, one in value.items()}
        if isinstance(value, str) and value.startswith("${") and value.endswith("}") and depth < 8:
            return put_in(look_up(value[2:-1]), depth + 1)
        return value

    # Only these are looked at: what else a training had there may refer to what is not in the file.
    names = ("sample_rate", "channels", "encodec", "seanet", "rvq")
    return {name: put_in(values[name]) for name in names if name in values}
