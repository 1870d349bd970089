"""Runs many jobs on a process pool of this machine, or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")


class RayExecutor(Executor):
    """Ray behind the interface of a process pool: each job is a remote task of one core.

    Args:
        address: of the cluster; "local" starts one on this machine, "auto" finds a running one.

    Raises:
        ImportError: without the extra `cluster`.
    """

    def __init__(self, address: str) -> None:
        import ray

        self._ray: Any = ray
        self._began = not ray.is_initialized()
        if self._began:
            ray.init(
                address=None if address == "local" else address,
                log_to_driver=False,
                include_dashboard=False,
                configure_logging=False,
            )
        self._run = ray.remote(num_cpus=1, max_retries=1)(_call)

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Submit a job."""
        future: Future[R] = self._run.remote(fn, args, kwargs).future()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; one that was started here is stopped."""
        if self._began:
            self._ray.shutdown()


def _call(function: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    return function(*args, **kwargs)


def open_executor(workers: int, cluster: str = "") -> Executor:
    """A pool of processes, or a Ray cluster where one is named."""
    if cluster:
        return RayExecutor(cluster)
    # Not forked: torch and OpenCV have threads whose locks a forked child would inherit.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def make_missing(paths: Sequence[Path], make: Callable[[Path], object], workers: int, name: str) -> None:
    """Make the files that are missing, in processes, with a bar that has a name; files that exist are kept."""
    missing = [path for path in paths if not path.exists()]
    if not missing:
        return
    with open_executor(workers) as pool, tqdm(total=len(paths), desc=name, mininterval=5) as bar:
        bar.update(len(paths) - len(missing))
        for _ in pool.map(make, missing):
            bar.update()


def run_jobs(executor: Executor, function: Callable[[T], R], jobs: Sequence[T]) -> Iterator[tuple[T, R | Exception]]:
    """Run a function on every job; yields each job with its result or its exception, in the order they finish."""
    futures = {executor.submit(function, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            yield futures[future], error if error is not None else future.result()
    finally:
        for future in futures:
            future.cancel()
