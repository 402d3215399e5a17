"""Runs numbered jobs: in this process, one after another, or by the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fieldpack.parallel.cluster import run_on_ray
from fieldpack.parallel.jobs import ComputeOptions, Job, Worker


def run_jobs(
    make_worker: Callable[[], Worker], jobs: Iterable[Job], compute: ComputeOptions, gpu: str = ""
) -> Iterator[Job]:
    """The results, each as soon as it is there: in order when the work is done here, in any order from Ray.

    make_worker: makes the worker of a process. With Ray it travels there by Ray's own serialisation. gpu: "" when the
    work has no use for one, "may" when it runs faster on one, "must" when it runs on no processor. Raises whatever the
    worker raises.
    """
    if compute.ray is not None:
        yield from run_on_ray(make_worker, jobs, compute, compute.ray, gpu)
        return
    worker: Worker | None = None
    for number, content in jobs:
        worker = worker or make_worker()
        yield number, worker(number, content)
