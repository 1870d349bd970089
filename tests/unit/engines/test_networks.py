"""The table of networks: every row is whole, states the shapes that the network has, and suffices by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.bundles import InvalidBundleError, find_bundle, learned_networks, network_entry, weights_of
from engines.contract import EngineError
from engines.network_row import Port, resolve
from engines.networks import (
    EMBEDDING_SIDE,
    NETWORKS,
    NUM_POINTS,
    TICK_SAMPLES,
    all_weights,
    by_cost,
    required_networks,
)
from engines.registry import has_network, open_engine
from engines.runtimes.torch_runtime import load_tick
from models.tick_modules import TickModule
from models.vision.embedding import POINTS, SIDE
from streaming.conventions import TICK_SAMPLES as SHOW_TICK_SAMPLES
from training.bundling import builder_of
from training.trainer_spec import Trainer

CHECKOUT = Path(__file__).resolve().parents[3]
DEFAULT = find_bundle("default")
LEARNED = learned_networks(DEFAULT)


def config_of(network: str) -> dict[str, Any]:
    return dict(network_entry(DEFAULT, weights_of(DEFAULT, network))["config"])


def blank(port: Port, config: dict[str, Any]) -> Any:
    """A value of a port's shape and type."""
    if port.dtype in ("float", "int"):
        return 1.0 if port.dtype == "float" else 0
    return np.zeros(port.shape_in(config), port.dtype_in(config))


def test_the_default_bundle_has_every_learned_network() -> None:
    assert set(LEARNED) == {name for name, row in NETWORKS.items() if row.learned}


@pytest.mark.parametrize("network", LEARNED)
def test_a_step_takes_and_gives_what_the_row_states(network: str) -> None:
    row, config = NETWORKS[network], config_of(network)
    engine = open_engine(network, backend="torch")
    given = engine.step(**{port.name: blank(port, config) for port in row.takes})
    stated = {port.name: (port.shape_in(config), port.dtype_in(config)) for port in row.gives}
    assert {name: (array.shape, str(array.dtype)) for name, array in given.items()} == stated


@pytest.mark.parametrize("network", LEARNED)
def test_the_tick_module_has_the_shapes_that_the_row_states(network: str) -> None:
    """Compared without the batch: a runtime would broadcast a shape that differs by a dimension of one."""
    row, config, tick = NETWORKS[network], config_of(network), load_tick(network, DEFAULT)
    specs = {spec.name: spec.shape for spec in tick.inputs}
    compared = [port for port in row.takes if port.name in specs]
    for port in compared:
        shape, stated = specs[port.name], port.shape_in(config)
        assert shape[len(shape) - len(stated) :] == stated, port.name
        assert all(size == 1 for size in shape[: len(shape) - len(stated)]), port.name
    assert compared or network == "hearing", "the hearing's tick calls its frames `heard`"
    assert [port.name for port in row.gives] == [tick.output]


def test_a_size_that_is_wrong_would_be_seen() -> None:
    still = Port("still", ("side", "side", 3), "uint8", "")
    assert still.shape_in({"side": 128}) == (128, 128, 3) != still.shape_in({"side": 256})
    with pytest.raises(KeyError, match="side"):
        still.shape_in({})


def test_the_tables_constants_are_everybodys() -> None:
    assert TICK_SAMPLES == SHOW_TICK_SAMPLES
    assert (SIDE, len(POINTS)) == (EMBEDDING_SIDE, NUM_POINTS)


def test_every_name_in_the_table_leads_somewhere() -> None:
    for row in NETWORKS.values():
        if row.learned:
            assert issubclass(resolve(row.tick), TickModule)
            assert callable(resolve(row.engine))
        if row.ready_made is not None:
            assert callable(resolve(row.ready_made.open))
        assert row.learned or row.ready_made is not None, row.name
    for weights in all_weights().values():
        assert callable(resolve(weights.build))
        assert isinstance(resolve(weights.trainer), Trainer)
        assert set(weights.trained_with) <= set(all_weights())
    with pytest.raises(ImportError, match=r"engines.networks has no Nobody"):
        resolve("engines.networks:Nobody")


def test_reading_the_table_imports_no_framework() -> None:
    heavy = "{'torch', 'onnxruntime', 'models', 'training', 'cv2'}"
    code = f"import sys, engines.networks, engines.registry; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]"


def test_weights_come_after_those_that_they_are_trained_with() -> None:
    order = list(all_weights())
    for name, weights in all_weights().items():
        assert all(order.index(other) < order.index(name) for other in weights.trained_with)


def test_expensive_networks_come_first() -> None:
    assert set(by_cost(NETWORKS)[:2]) == {"embedding", "painter"}
    assert by_cost(["pose", "decoder", "painter"]) == ["painter", "decoder", "pose"]


def test_what_a_show_needs_follows_its_direction() -> None:
    forward, reverse = set(required_networks("video-to-music")), set(required_networks("music-to-video"))
    assert forward == {"embedding", "sight", "translator", "decoder"}
    assert reverse == {"embedding", "hearing", "encoder"}
    assert set(required_networks()) == forward | reverse


def test_what_is_no_network_is_one_line() -> None:
    with pytest.raises(EngineError, match=r"unknown network 'trombone'; use one of flow, embedding"):
        open_engine("trombone")
    with pytest.raises(EngineError, match="unknown network 'trombone'"):
        has_network("trombone")
    with pytest.raises(InvalidBundleError, match="trombone is no network that has weights"):
        weights_of(DEFAULT, "trombone")
    with pytest.raises(EngineError, match="unknown weights 'trombone'"):
        builder_of("trombone")


MODULE = '''"""How bright a picture is, said by one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.sizes import Sizes
from models.tick_modules import Spec, TickModule


@dataclass(frozen=True)
class BrightnessConfig(Sizes):
    """Side of the picture in pixels."""

    side: int = 8


class Brightness(nn.Module):
    """A weighted mean."""

    def __init__(self, config: BrightnessConfig) -> None:
        super().__init__()
        self.config = config
        self.mean = nn.Linear(config.side**2, 1)

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Brightness:
        """As a manifest says."""
        return cls(BrightnessConfig.from_dict(values))


class BrightnessTick(TickModule):
    """One picture."""

    output = "level"

    def __init__(self, network: Brightness) -> None:
        super().__init__()
        self.network = network
        self.inputs = (Spec("grey", (1, network.config.side, network.config.side), torch.uint8),)

    def forward(self, grey: Tensor) -> Any:
        """The level."""
        return (self.network.mean(grey.flatten(1).float() / 255.0),)
'''
ENGINE = '''"""The brightness as the show runs it."""

from __future__ import annotations

import numpy as np

from engines.tick_engines import TickEngine


class BrightnessEngine(TickEngine):
    """One picture to its level."""

    def step(self, **inputs):
        """See the row."""
        return {"level": self._runner.run({"grey": np.asarray(inputs["grey"])[None]})[0]}
'''
TRAINER = '''"""Trains the brightness."""

from __future__ import annotations

import torch

from models.brightness import Brightness, BrightnessConfig
from training.loop.checkpoint import MovingAverage, save_checkpoint
from training.trainer_spec import Trainer, TrainerOption, TrainingJob, TrainingResult


def train(job: TrainingJob) -> TrainingResult:
    """A mean needs no training."""
    network = Brightness(BrightnessConfig())
    torch.nn.init.constant_(network.mean.weight, job.options.gain / 64)
    torch.nn.init.zeros_(network.mean.bias)
    path = job.work / "brightness" / "checkpoint.safetensors"
    save_checkpoint(path, job.steps, network, MovingAverage(network), torch.optim.AdamW(network.parameters()))
    return TrainingResult(path)


TRAINER = Trainer(train, options=(TrainerOption("--gain", {"type": float, "default": 1.0}),))
'''
ROW = """
    Network(
        name="brightness",
        direction="both",
        takes=(Port("grey", ("side", "side"), "uint8", "a picture"),),
        gives=(Port("level", (1,), "float32", "0 to 1"),),
        weights=(Weights("brightness", "models.brightness:Brightness.from_config",
                         "training.networks.brightness:TRAINER"),),
        tick="models.brightness:BrightnessTick",
        engine="engines.brightness:BrightnessEngine",
        optional=True,
    ),"""
USE = """
import numpy as np
from engines.artifacts import why_rebuilt
from engines.registry import open_engine
assert why_rebuilt(__import__("pathlib").Path("mine"), "onnxruntime") == {}
for backend in ("torch", "onnxruntime"):
    engine = open_engine("brightness", bundle="mine", backend=backend, tell=print)
    print(engine.spec.runtime, float(engine.step(grey=np.full((8, 8), 255, np.uint8))["level"][0]))
"""


def test_a_row_suffices_to_add_a_network(tmp_path: Path) -> None:
    """In a copy of the packages: trained, bundled, exported and run, with one line of one file changed."""
    for package in ("engines", "models", "export", "training", "streaming", "performers"):
        ignored = shutil.ignore_patterns("bundles", "__pycache__")
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=ignored)
    (tmp_path / "models" / "brightness.py").write_text(MODULE)
    (tmp_path / "engines" / "brightness.py").write_text(ENGINE)
    (tmp_path / "training" / "networks" / "brightness.py").write_text(TRAINER)
    table = tmp_path / "engines" / "networks.py"
    text = table.read_text()
    assert text.count("ROWS = (") == 1
    table.write_text(text.replace("ROWS = (", "ROWS = (" + ROW))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-m", "training.train", "brightness", "--out", "mine", "--work", "work", "--steps", "1", "--gain", "0.5")
    assert "brightness" in run("-m", "export", "mine")
    assert run("-c", USE).split() == ["torch", "0.5", "onnxruntime", "0.5"]
