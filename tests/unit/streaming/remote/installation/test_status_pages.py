"""The pages ask the supervisor only when they must, and say when it does not answer."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from streaming.remote.installation import status_pages
from streaming.remote.installation.status_pages import FRESH_NS, StatusPages
from tests.unit.streaming.remote.installation.statuses import status


class Desk:
    """A supervisor that answers at once, or not at all."""

    def __init__(self, answers: bool = True) -> None:
        self.asked, self.now_ns, self.status = 0, 0, dict[str, Any]()
        self.answers = answers
        self.pages = StatusPages(lambda: self.status, self.ask, {"Cache-Control": "no-store"}, lambda: self.now_ns)
        self.browser = TestClient(Starlette(routes=self.pages.routes()))

    def ask(self) -> None:
        self.asked += 1
        assert self.pages.waiting == 1
        if self.answers:
            self.status = status()
            self.pages.status_came()


def test_many_who_ask_cost_one_question_a_second() -> None:
    desk = Desk()
    with desk.browser as browser:
        for _ in range(5):
            answer = browser.get("/metrics")
            assert answer.status_code == 200
            assert list(text_string_to_metric_families(answer.text))
        assert browser.get("/health").json()["status"] == "ok"
        assert (desk.asked, desk.pages.waiting) == (1, 0)
        desk.now_ns += FRESH_NS + 1
        assert browser.get("/health").headers["cache-control"] == "no-store"
    assert desk.asked == 2


def test_a_silent_supervisor_is_said_and_not_awaited_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_pages, "WAIT_S", 0.05)
    desk = Desk(answers=False)
    with desk.browser as browser:
        assert browser.get("/health").status_code == 503
        assert 'stage="supervisor"' in browser.get("/metrics").text
    assert (desk.asked, desk.pages.waiting) == (2, 0)
