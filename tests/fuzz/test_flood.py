"""A million malformed messages to a reader in a process of its own: it reads on, and its memory does not grow."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zmq

from streaming.schema.messages import TOPICS, Motion
from streaming.transport import wire
from tests.fuzz.malformed import many_malformed

MESSAGES = int(os.environ.get("ANTIPHON_FUZZ", "1000000"))
READ = """
import sys
import psutil
from streaming.telemetry.metrics import Metrics
from streaming.transport.bus import Subscriber
from streaming.transport.sockets import Poller
metrics, most = Metrics(), int(sys.argv[2])
reader = Subscriber({"motion": sys.argv[1]}, metrics)
poller, bad, started = Poller(reader), 0, 0
while bad < most:
    poller.wait()
    reader.drain()
    bad += sum(count for name, count in metrics.take().counters.items() if name.startswith("bad."))
    if not started and bad >= most // 5:
        started = psutil.Process().memory_info().rss
print(bad, (psutil.Process().memory_info().rss - started) / 1e6)
"""


def good() -> list[bytes]:
    """A motion in frames."""
    motion = Motion(
        flow=np.zeros((2, 16, 16), np.float32),
        speed=np.zeros((16, 16), np.float32),
        embedding=np.zeros(128, np.float32),
    )
    return [bytes(frame) for frame in wire.pack(motion, TOPICS["motion"])]


@pytest.mark.media
@pytest.mark.timeout(1_200)
def test_a_flood_of_malformed_messages(tmp_path: Path) -> None:
    chosen, address = random.Random(1), f"ipc://{tmp_path}/motion.sock"
    bad = many_malformed(good(), TOPICS["motion"], 5_000)
    publisher: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    publisher.sndhwm = 1_000
    publisher.bind(address)
    reader = subprocess.Popen([sys.executable, "-c", READ, address, str(MESSAGES)], stdout=subprocess.PIPE, text=True)
    try:
        while reader.poll() is None:
            for message in chosen.choices(bad, k=100):
                publisher.send_multipart(message)
            time.sleep(0.001)
        said = reader.communicate()[0].split()
        assert reader.returncode == 0
        assert int(said[0]) >= MESSAGES
        assert float(said[1]) < 5.0
    finally:
        reader.kill()
        reader.wait()
        publisher.close(0)
