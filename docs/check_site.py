"""Finds what a built site would fetch from another host when it is read: `python docs/check_site.py [site]`."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest"}
"""Relations of a `<link>` that a browser fetches by itself."""
SOURCES = ("src", "srcset", "poster", "data")
"""Attributes that a browser fetches by itself, whatever the element."""
REMOTE = re.compile(r"^\s*(https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"'])(?:https?:)?//[^\"')\s]+", re.IGNORECASE)


class _Fetches(HTMLParser):
    """Collects the addresses that reading a page fetches from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        names = [name for name in SOURCES if name in values]
        if tag == "link" and LINKS & set(values.get("rel", "").lower().split()):
            names.append("href")
        if tag in ("image", "use"):
            names += [name for name in ("href", "xlink:href") if name in values]
        self.addresses += [values[name] for name in names if REMOTE.match(values[name])]
        self.addresses += IN_STYLE.findall(values.get("style", ""))


def remote_addresses(site: Path) -> list[str]:
    """One line `FILE: ADDRESS` for everything that a browser would fetch from another host."""
    lines = []
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            page = _Fetches()
            page.feed(path.read_text(encoding="utf-8"))
            addresses = page.addresses + IN_STYLE.findall("".join(_styles(path)))
        elif path.suffix in (".css", ".svg"):
            addresses = IN_STYLE.findall(path.read_text(encoding="utf-8"))
        else:
            continue
        lines += [f"{path.relative_to(site)}: {address}" for address in addresses]
    return lines


def _styles(path: Path) -> list[str]:
    return re.findall(r"<style[^>]*>(.*?)</style>", path.read_text(encoding="utf-8"), re.DOTALL)


def main() -> int:
    """Print what would be fetched; returns 1 if there is any, 2 if there is no site."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    if not (site / "index.html").is_file():
        print(f"{site}: holds no index.html; type: make site", file=sys.stderr)
        return 2
    lines = remote_addresses(site)
    print("\n".join(lines) or f"{site}: nothing is fetched from another host")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
