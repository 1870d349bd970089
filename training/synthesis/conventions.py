"""The shape of every synthetic recording: its length, its frames, and the order in which seeds pick a kind."""

from __future__ import annotations

from streaming.conventions import TICKS_PER_SECOND

CLIP_S = 8.0
"""Length of a clip in seconds."""
CLIP_TICKS = int(CLIP_S * TICKS_PER_SECOND)
FRAME_SIZE = (256, 192)
"""Width and height of a recorded frame in pixels."""
CLIP_KINDS = ("drums", "strings", "air", "keys", "dance")
"""The kind of a clip is `CLIP_KINDS[seed % 5]`, and voice n of a translator is `CLIP_KINDS[n - 1]`.

These are the kinds of `performers.kinds` in another order, which recordings and shipped bundles depend on.
"""
