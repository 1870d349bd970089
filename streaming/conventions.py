"""The constants that everybody shares: rates, sizes, grids. Imports nothing."""

from __future__ import annotations

TICK_NS = 40_000_000
"""A tick: 40 ms of the audio device's clock."""
TICKS_PER_SECOND = 25
SAMPLE_RATE = 32_000
"""The codec's sample rate in Hz."""
TICK_SAMPLES = 1_280
"""Samples of a tick at the codec's rate."""
TOKEN_FRAMES_PER_TICK = 2
TOKEN_FRAME_SAMPLES = 640
"""Samples of a token frame (20 ms) at the codec's rate."""
NUM_CODEBOOKS = 4
CARDINALITY = 2_048
FLOW_GRID = 16
"""Cells along each side of a motion's flow grid."""
EMBEDDING_DIM = 128
MOTION_FEATURES = 26
"""Length of the motion features of a frame; `streaming.vision.motion.feature_names.NAMES` names each."""
BODY_POINTS, HAND_POINTS = 33, 21
"""Points of a body and of a hand, in MediaPipe's order."""
HAND_FEATURES = 8
"""Length of a hand's motion features; `streaming.vision.motion.hand_motion.HAND_NAMES` names each."""
INSTRUMENT_KINDS = ("strings", "keys", "drums", "air")
"""Kinds of instrument that are told apart in pictures, in the order of their odds; see
`streaming.vision.instrument_reader`."""
SOUND_BANDS = 8
"""Bands of `streaming.audio.sound_bands`, from low to high."""
GESTURE = 7
"""Length of the gesture of a tick; `streaming.vision.gestures.gesture_names.GESTURE_NAMES` names each."""
STILL_SIDE = 128
"""Side of the square, in pixels, in which the painter sees a prior image."""
LARGEST_FEATURE = 8.0
"""No motion feature of a frame or of a hand is larger."""
MAX_VELOCITY = 100.0
"""The fastest motion of a grid cell that counts, in frame sides per second; what is faster counts as this. A camera at
100 fps reaches it when a cell crosses the whole view from one frame to the next."""
