"""A spare process with the neural runtime and the stages imported, so that a killed stage is back at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streaming.runtime.children.child_process import ChildProcess
from streaming.runtime.children.fork_server import ForkClient, ForkedProcess
from streaming.system.realtime import set_background, set_prompt

Child = ChildProcess | ForkedProcess


class WarmSpare:
    """A spare process with everything imported, so that a killed stage is back at once.

    Importing the runtime takes 1.8 s on a two-core machine; a warm spare has done that before it is needed. Where
    processes can be forked, the spare is a fork server: each stage that dies is replaced by a fork of it, any number
    at once, and the server is used again. Elsewhere the spare becomes the stage, and the next one is prepared 3 s after
    it was used, at low priority, so that it disturbs neither the recovery nor the sound.

    Args:
        spawn: makes the process, with the channel of a fork server or None.
        enabled: False when no stage of the show may use one.
        forks: whether to make a fork server; it becomes a plain spare where that fails.

    Attributes:
        settled: whether it is ready, or no spare is expected.
        forks: whether the spare is a fork server.
    """

    DELAY_NS = 3_000_000_000
    """Between the use or death of one and the preparation of the next."""
    SETTLED_NS = 200_000_000
    """A spare that has used no CPU for this long is ready."""
    GIVE_UP_NS = 15_000_000_000
    """The start of the show waits for a spare for this long at most."""
    SERVER_GIVE_UP_NS = 60_000_000_000
    """The same for a fork server: on cores so busy that it takes this long, every other process would take longer."""
    TRIES = 3
    """How many spares that die by themselves before they are ready are replaced."""

    def __init__(
        self, spawn: Callable[[ForkClient | None], ChildProcess], *, enabled: bool, forks: bool = False
    ) -> None:
        self._spawn = spawn
        self._tries = self.TRIES if enabled else 0
        self.forks = forks
        self._client: ForkClient | None = None
        self._child: ChildProcess | None = None
        self._spawn_at_ns = 0
        self._spawned_ns = 0
        self._used: tuple[float, int] = (-1.0, 0)
        self.settled = not enabled

    def maintain(self, now_ns: int, *, performing: bool) -> int | None:
        """Spawn one when it is time; returns the process id of one that was spawned now, else None.

        Raises:
            OSError: when it cannot be spawned; it is tried again later.
        """
        if self._child is not None and self._child.poll() is not None:
            if not self.settled:
                # It could not become a fork server: the next one is a plain spare.
                self.forks = False
            self._drop(now_ns)
        if self._child is None:
            if self._tries == 0:
                self.settled = True
            elif now_ns >= self._spawn_at_ns:
                return self._begin(now_ns, performing=performing)
        elif not self.settled:
            self._update_settled(self._child, now_ns)
        return None

    def take(self, now_ns: int, log: Path) -> Child | None:
        """Give a process with everything imported, at normal priority; None if there is none.

        Args:
            now_ns: the time.
            log: file for the output of a forked process.

        Raises:
            OSError: when there is no descriptor left.
        """
        child: Child | None = self._child
        if child is None or child.poll() is not None:
            return None
        if self._client is not None:
            child = self._client.fork(log) if self._client.ready() else None
            if child is None and self._client.ready():
                self._drop(now_ns)
        else:
            self._child, self._tries, self._spawn_at_ns = None, self.TRIES, now_ns + self.DELAY_NS
            set_background(child.pid, background=False)
        return child

    def close(self) -> None:
        """Kill it; no other one follows."""
        self._tries = 0
        self._drop(0)

    def _drop(self, now_ns: int) -> None:
        """End the present one; the next one is prepared a while later."""
        child, client, self._child, self._client = self._child, self._client, None, None
        self._spawn_at_ns = now_ns + self.DELAY_NS
        if client is not None:
            client.close()
        if child is not None:
            child.kill()
            child.wait(2.0)
            child.close_lifeline()

    def _begin(self, now_ns: int, *, performing: bool) -> int:
        self._spawn_at_ns = now_ns + self.DELAY_NS
        client = ForkClient() if self.forks else None
        try:
            self._child = self._spawn(client)
        except OSError:
            # The start of the show does not wait for what cannot be had; it is tried again later.
            self.settled = True
            if client is not None:
                client.close()
            raise
        self._tries -= 1
        if client is not None:
            client.release_server_end()
        self._client = client
        self._spawned_ns, self.settled, self._used = now_ns, False, (-1.0, now_ns)
        if performing:
            set_background(self._child.pid, background=True)
        return self._child.pid

    def _update_settled(self, child: ChildProcess, now_ns: int) -> None:
        if self._client is not None:
            is_ready = self._client.ready()
        else:
            usage = child.usage()
            if usage is not None and usage[0] != self._used[0]:
                self._used = (usage[0], now_ns)
            is_ready = now_ns - self._used[1] > self.SETTLED_NS and now_ns - self._spawned_ns > 2 * self.SETTLED_NS
        give_up_ns = self.GIVE_UP_NS if self._client is None else self.SERVER_GIVE_UP_NS
        if is_ready or now_ns - self._spawned_ns > give_up_ns:
            self.settled = True
            self._tries = self.TRIES
            if self._client is not None:
                # A fork takes some 20 ms of a core, which loaded cores would make seconds of silence.
                set_background(child.pid, background=False)
                set_prompt(child.pid)
