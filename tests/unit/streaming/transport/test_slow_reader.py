"""A reader whose queue is full when its publisher is killed goes on; libzmq used to abort its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PUBLISH = """
import sys, time
from streaming.schema.messages import Speaker
from streaming.transport.bus import Publisher
publisher = Publisher("speaker", sys.argv[1])
while True:
    publisher.send(Speaker(tick=1, dac_ns=2))
    time.sleep(0.0005)
"""
READ = """
import subprocess, sys, time
from streaming.telemetry.metrics import Metrics
from streaming.transport.bus import Subscriber
for _ in range(2):
    publisher = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1]])
    reader = Subscriber({"speaker": sys.argv[1]}, Metrics())
    while not reader.drain():
        time.sleep(0.01)
    time.sleep(1.2)
    publisher.kill()
    publisher.wait()
    time.sleep(1.2)
    for _ in range(50):
        reader.drain()
        time.sleep(0.01)
    reader.close()
print("still here")
"""


@pytest.mark.parametrize("kind", ["ipc", "tcp"])
def test_a_slow_reader_outlives_its_publisher(kind: str, tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/speaker.sock" if kind == "ipc" else "tcp://127.0.0.1:5693"
    command = [sys.executable, "-c", READ, address, PUBLISH]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "still here", done.stderr[-400:]
