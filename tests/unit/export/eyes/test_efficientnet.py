"""The published weights of EfficientNet-Lite become an ONNX file that answers as torch does; nothing in them is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.contract import EngineError
from engines.eyes.catalogue import EyeNetwork, EyeOutput, find_network
from engines.eyes.network import EyeEngine
from export.eyes.build import convert_source
from export.eyes.efficientnet import convert_efficientnet
from models.vision.efficientnet_lite import LITE0
from tests.parity.eye_checkpoints import TINY, checkpoint, file_of, reference_odds

ROW = EyeNetwork("tiny", "tells ten things apart", "tiny/tiny.pth", "", 32, -127 / 128, (EyeOutput("odds", 0, (10,)),))


def test_the_onnx_file_answers_as_torch_does() -> None:
    published = checkpoint(TINY, 3)
    engine = EyeEngine(ROW, convert_efficientnet(file_of(published), ROW, TINY))
    image = np.random.default_rng(4).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    given = torch.from_numpy((image[..., ::-1].astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    wanted = reference_odds(published, TINY, given)[0].numpy()
    np.testing.assert_allclose(engine.step(image=image)["odds"], wanted, atol=1e-5, rtol=1e-4)


def test_the_catalogues_row_is_converted_at_its_real_size() -> None:
    network = find_network("instrument")
    engine = EyeEngine(network, convert_source(file_of(checkpoint(LITE0)), network))
    odds = engine.step(image=np.full((224, 224, 3), 90, np.uint8))["odds"]
    assert odds.shape == (1000,)
    assert float(odds.sum()) == pytest.approx(1.0, abs=1e-4)


class Runs:
    """An object whose unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (str(self.path),)


def test_a_file_with_code_in_it_is_refused_and_the_code_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(EngineError, match=r"tiny\.pth does not hold the weights of tiny"):
        convert_efficientnet(file_of({"_fc.weight": Runs(trap)}), ROW, TINY)
    assert not trap.exists()


@pytest.mark.parametrize("data", [b"nothing", b"", file_of({"_fc.weight": torch.zeros(1)}), file_of([1, 2])])
def test_what_are_no_such_weights_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(EngineError, match="does not hold the weights") as caught:
        convert_efficientnet(data, ROW, TINY)
    assert "\n" not in str(caught.value)
