"""The converted classifier answers as its published form does; `tests/parity/instrument_goldens.py` stored the odds."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from engines.eyes.catalogue import MissingEyesError
from engines.eyes.network import open_eye
from tests.parity.eye_goldens import PICTURES, picture
from tests.parity.instrument_goldens import INSTRUMENT_GOLDENS


@pytest.mark.parametrize("kind", PICTURES)
def test_the_converted_classifier_answers_as_its_published_form_does(kind: str) -> None:
    try:
        eye = open_eye("instrument")
    except MissingEyesError:
        pytest.skip("the eyes are not in the cache; run: python -m export.eyes")
    golden = load_file(INSTRUMENT_GOLDENS)[kind]
    np.testing.assert_allclose(eye.step(image=picture(kind, 224))["odds"], golden, atol=1e-4)


def test_there_are_odds_for_every_picture() -> None:
    goldens = load_file(INSTRUMENT_GOLDENS)
    assert set(goldens) == set(PICTURES)
    for odds in goldens.values():
        assert odds.shape == (1000,)
        assert float(odds.sum()) == pytest.approx(1.0, abs=1e-3)
    assert goldens["waves"].argmax() != goldens["grain"].argmax()
