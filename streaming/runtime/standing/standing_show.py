"""A show with its opening hours, its log, and the service manager that has started it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from streaming.runtime.show import perform
from streaming.runtime.standing.keeper import Keeper
from streaming.settings.config import Show
from streaming.settings.values.schedule import read_schedule
from streaming.system.service_manager import ServiceManager
from streaming.telemetry.output import print_out
from streaming.telemetry.report import Ending
from streaming.telemetry.service_view import ServiceView
from streaming.telemetry.show_log import ShowLog
from streaming.telemetry.views import ShowView


def stand(show: Show, *, awake: bool, notes: Sequence[str]) -> Ending:
    """Perform a show once, or as often as its hours and its failures ask for.

    Args:
        show: the settings.
        awake: keep the machine's cores from halting meanwhile.
        notes: lines for the user from before the start.

    Raises:
        UserError: when it cannot begin; nothing is left running.
    """
    manager = ServiceManager()
    with contextlib.ExitStack() as stack:
        views: list[ShowView] = []
        if show.log:
            views.append(stack.enter_context(contextlib.closing(ShowLog(show.log))))
        if manager.present:
            views.append(ServiceView(manager))
        first = list(notes)

        def once(closes: Callable[[], bool]) -> Ending:
            lines = list(first)
            first.clear()
            return perform(show, awake=awake, notes=lines, closes=closes, views=views).ending

        schedule = read_schedule(show.schedule) if show.schedule else None
        return Keeper(once, schedule, again=show.installation, say=_say, manager=manager).run()


def _say(line: str) -> None:
    """Tell the user; nobody may be there to read it."""
    with contextlib.suppress(Exception):
        print_out(line)
