"""Where numbered pieces of work are done: here, one after another, or by the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from fieldpack.errors import SettingsError

Job = tuple[int, bytes]
"""A piece of work: its number and its content. Its result has the same form and the same number."""


class Work(Protocol):
    """What a worker does to one job. It holds the model, is made once a worker, and does many jobs."""

    def __call__(self, number: int, content: bytes) -> bytes: ...


@dataclass(frozen=True)
class Where:
    """ray: None for this process; "local" for a Ray cluster of this machine's cores that ends with the call; "auto" or
    HOST:PORT for one that runs. workers: processes (None: as many as the cluster's cores or GPUs hold). gpus: share of
    a GPU that a worker asks for (None: a whole one where there are GPUs and the model is a transformer). cores: of the
    processor, that a worker asks for. A program that has called ray.init keeps its own connection, whatever `ray` says.
    """

    ray: str | None = None
    workers: int | None = None
    gpus: float | None = None
    cores: float = 1.0

    def __post_init__(self) -> None:
        if self.ray is not None and (not isinstance(self.ray, str) or not self.ray.strip()):
            raise SettingsError(f"ray is {self.ray!r}; allowed: None, 'local', 'auto', 'HOST:PORT'")
        if self.workers is not None and (
            isinstance(self.workers, bool) or not isinstance(self.workers, int) or self.workers < 1
        ):
            raise SettingsError(f"workers is {self.workers!r}; allowed: a whole number, 1 or more")
        if self.gpus is not None and not 0 <= self.gpus <= 64:
            raise SettingsError(f"gpus is {self.gpus!r}; allowed: 0 (none) to 64, below 1 for a share of one")
        if not 0 < self.cores <= 1024:
            raise SettingsError(f"cores is {self.cores!r}; allowed: above 0")


def outcomes(make: Callable[[], Work], jobs: Iterable[Job], where: Where, gpu: str = "") -> Iterator[Job]:
    """The results, each as soon as it is there: in order when the work is done here, in any order from Ray.

    make: what a worker calls to begin. With Ray it travels there by Ray's own serialisation. gpu: "" when the work has
    no use for one, "may" when it runs faster on one, "must" when it runs on no processor. Raises what the work raises.
    """
    if where.ray is not None:
        from fieldpack.parallel.cluster import spread

        yield from spread(make, jobs, where, gpu)
        return
    work: Work | None = None
    for number, content in jobs:
        work = work or make()
        yield number, work(number, content)
