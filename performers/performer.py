"""The synthetic performer: a kind and a seed give a score, a body that plays it, and a frame at any time."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from performers.body import Body, draw_world
from performers.gestures import J, place_of
from performers.kinds import KINDS
from performers.scene import PerformerScene
from performers.score import Score, draw_score

_PLACES = (
    *("left_hand", "right_hand", "left_tip", "right_tip", "head", "left_foot", "right_foot"),
    *("neck", "pelvis", "left_shoulder", "right_shoulder", "low_end", "high_end", "frog"),
)
LABEL_NAMES: tuple[str, ...] = (
    *(f"{place}_{axis}" for place in _PLACES for axis in ("x", "y")),
    *(f"is_{kind}" for kind in KINDS),
    "pitch",
)
"""What each of a label's 34 numbers is.

0..27: x (rightwards) and y (downwards) of fourteen points in sides of the square that
`streaming.vision.frame_features.fit_square` makes of the frame, clipped to 0..1. 28..32: one-hot kind. 33: place of the
latest pitch in its kind's range, 0 for drums and before the first note. In a mirrored picture left and right keep their
role in the playing (the right hand holds the bow), except for a dancer, whose left and right are those that are seen.
"""

_FORM = re.compile(r"performer(?::(?P<kind>[^@]*))?(?:@(?P<seed>.*))?")


class UnknownPerformerError(ValueError):
    """There is no such performer: what is wrong, where, and the fix."""


def parse_performer(text: str) -> tuple[str | None, int | None]:
    """Read `performer[:strings|keys|drums|air|dance][@SEED]`, as it is typed on the command line.

    Args:
        text: what was typed.

    Returns:
        The kind and the seed, each None where it was not given.

    Raises:
        UnknownPerformerError: for anything else.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        fix = f"write performer[:{'|'.join(KINDS)}][@SEED]"
        raise UnknownPerformerError(f"{text!r} is not a synthetic performer", "--camera", fix)
    kind, seed = match["kind"], match["seed"]
    if kind is not None and kind not in KINDS:
        raise UnknownPerformerError(f"no performer plays {kind!r}", text, f"use one of {', '.join(KINDS)}")
    if seed is not None and not re.fullmatch(r"[0-9]{1,9}", seed):
        raise UnknownPerformerError(f"{seed!r} is not a seed", text, "use a whole number from 0 to 999999999")
    return kind, None if seed is None else int(seed)


class SyntheticPerformer:
    """A rendered player whose motion and music belong together.

    Args:
        kind: one of `kinds.KINDS`, or None to draw it from the seed.
        seed: the same kind, seed and duration give the same performance and the same frames.
        size: width and height of the frames in pixels.
        duration_s: length of the performance; afterwards the player stands still.
        periodic: play the same gesture at every beat.
        undisturbed: camera, light and background are steady; see `performers.scene.PerformerScene`.
        world: "rendered", the ranges that the shipped networks were trained on, or "real", with stroke sizes, cameras
            and leading hands as in films.

    Raises:
        ValueError: for an unknown kind or world, a size below 16 x 16, or a duration that is not positive.
    """

    def __init__(
        self,
        kind: str | None = None,
        seed: int = 0,
        size: tuple[int, int] = (640, 480),
        duration_s: float = 3600.0,
        *,
        periodic: bool = False,
        undisturbed: bool = False,
        world: str = "rendered",
    ) -> None:
        if min(size) < 16:
            raise ValueError(f"frames of at least 16 x 16 pixels, not {size[0]} x {size[1]}")
        performer_kind = (
            kind if kind is not None else KINDS[int(np.random.default_rng([seed, 303]).integers(len(KINDS)))]
        )
        self.kind: str = performer_kind
        self.seed, self.size = seed, size
        self.score: Score = draw_score(performer_kind, seed, duration_s, periodic=periodic)
        ranges = draw_world(world, seed)
        self.body = Body(self.score, seed, ranges)
        self.scene = PerformerScene(seed, performer_kind, undisturbed=undisturbed, world=ranges)
        self._onsets = np.array([note.onset_s for note in self.score.notes], dtype=np.float64)

    def frame(self, t_s: float) -> NDArray[np.uint8]:
        """The frame at a time, which is the middle of its exposure; times may be asked for in any order.

        Args:
            t_s: seconds from the start of the performance.

        Returns:
            uint8 [H, W, 3], BGR.
        """
        return self.scene.render(self.body, t_s, self.size)

    def labels(self, t_s: float) -> NDArray[np.float32]:
        """The true labels of the frame at a time.

        Args:
            t_s: seconds from the start of the performance.

        Returns:
            float32 [34], 0..1, laid out as `LABEL_NAMES`.
        """
        square = np.clip(self.places(t_s, _PLACES), 0.0, 1.0)
        last = int(np.searchsorted(self._onsets, t_s, side="right")) - 1
        pitch = place_of(self.score.notes[last], self.kind) if last >= 0 else 0.0
        one_hot = [float(kind == self.kind) for kind in KINDS]
        return np.concatenate([square.ravel(), one_hot, [pitch]]).astype(np.float32)

    def places(self, t_s: float, joints: Sequence[str]) -> NDArray[np.float64]:
        """Positions of joints in the frame at a time.

        Args:
            t_s: seconds from the start of the performance.
            joints: of `gestures.JOINTS`.

        Returns:
            float64 [N, 2], x rightwards and y downwards, in sides of the square that
            `streaming.vision.frame_features.fit_square` makes of the frame; below 0 or above 1 outside of it.
        """
        names = list(joints)
        if self.kind == "dance" and self.scene.mirror:
            swap = {"left": "right", "right": "left"}
            names = [swap.get(n.split("_")[0], n.split("_")[0]) + n[n.index("_") :] if "_" in n else n for n in names]
        points = self.body.pose(t_s).points[[J[name] for name in names]]
        pixels = self.scene.view(self.body).project(points, self.size, self.scene.moved(t_s))
        width, height = self.size
        side = max(width, height)
        return np.asarray((pixels + 0.5 + 0.5 * np.array([side - width, side - height])) / side)
