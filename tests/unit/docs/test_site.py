"""The documentation site builds without a warning and asks no other host for anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.scripts import ROOT, load

PAGES = (
    *("index", "first-performance", "controls", "command-line", "results", "latency-budget", "engines", "bundles"),
    *("training", "architecture", "wire", "code-map", "decisions", "extending", "contributing", "changelog"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make site` builds it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    build = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert build.returncode == 0, build.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    assert [name for name in PAGES if not (site / f"{name}.html").is_file()] == []


def test_nothing_comes_from_another_host(site: Path) -> None:
    assert load("check_site").remote_addresses(site) == []


def test_search_works_from_a_folder(site: Path) -> None:
    assert (site / "search" / "search_index.js").is_file()
    assert 'src="iframe-worker.js"' in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "iframe-worker.js").is_file()


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://elsewhere.example/a.js"></script>',
        '<link rel="stylesheet" href="//elsewhere.example/a.css">',
        '<link href="https://elsewhere.example" rel="preconnect">',
        '<img src="http://elsewhere.example/a.png">',
        '<img srcset="https://elsewhere.example/a.png 2x">',
        "<style>body { background: url('https://elsewhere.example/a.png') }</style>",
        '<style>@import "https://elsewhere.example/a.css";</style>',
        '<p style="background: url(https://elsewhere.example/a.png)">',
    ],
)
def test_what_would_be_fetched_is_found(tmp_path: Path, text: str) -> None:
    check_site = load("check_site")
    (tmp_path / "index.html").write_text('<a href="https://elsewhere.example">a link is followed by hand</a>')
    assert check_site.remote_addresses(tmp_path) == []
    (tmp_path / "page.html").write_text(text)
    lines = check_site.remote_addresses(tmp_path)
    assert len(lines) == 1
    assert lines[0].startswith("page.html: ")
