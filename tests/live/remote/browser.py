"""A real browser without a window, driven by its DevTools protocol: keys, clicks, text and screenshots."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.live.place import wait_for

PROGRAM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)
CODES = {"ArrowRight": 39, "ArrowDown": 40, " ": 32}


class BrowserPage:
    """One page of the browser."""

    def __init__(self, link: ClientConnection) -> None:
        self._link, self._numbers = link, itertools.count(1)
        self.errors: list[str] = []
        for domain in ("Page", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._link.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            reply = json.loads(self._link.recv(60.0))
            if reply.get("method") == "Runtime.exceptionThrown":
                self.errors.append(json.dumps(reply["params"])[:500])
            if reply.get("id") == number:
                return dict(reply.get("result", {}))

    def value(self, expression: str) -> Any:
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression: str, seconds: float = 40.0) -> None:
        wait_for(lambda: self.value(expression), seconds)

    def press(self, key: str) -> None:
        text = {"text": key} if len(key) == 1 else {}
        code = CODES.get(key, ord(key.upper()) if len(key) == 1 else 0)
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        x, y = self._middle_of(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _middle_of(self, selector: str) -> list[float]:
        place: list[float] = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return place

    def drop(self, selector: str, path: Path) -> None:
        """Drag a file onto an element, and let it go."""
        x, y = self._middle_of(selector)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.ask("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def look(self, width: int, height: int, theme: str = "light") -> None:
        """Be a window of another size, in a light or a dark system."""
        phone = width < 700
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def type(self, text: str) -> None:
        self.ask("Input.insertText", text=text)

    def screenshot(self) -> bytes:
        return base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browse(folder: Path, url: str, *flags: str) -> Iterator[BrowserPage]:
    """A browser with one page open."""
    assert PROGRAM is not None
    command = [PROGRAM, *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0) as browser:
        try:
            port_file = folder / "DevToolsActivePort"
            wait_for(lambda: port_file.exists() and port_file.read_text().count("\n"), 60.0)
            address = f"http://127.0.0.1:{port_file.read_text().split()[0]}/json"
            tabs: list[dict[str, Any]] = []

            def find_page() -> bool:
                # A browser that has just been read from the disk listens before it has a page.
                with urllib.request.urlopen(address, timeout=30) as answer:
                    tabs[:] = [tab for tab in json.load(answer) if tab["type"] == "page"]
                return bool(tabs)

            wait_for(find_page, 30.0)
            with connect(tabs[0]["webSocketDebuggerUrl"], max_size=None) as link:
                page = BrowserPage(link)
                page.ask("Page.navigate", url=url)
                yield page
        finally:
            # The program may be a script that starts the browser.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGTERM)
