"""Jobs, the workers that do them, and the computer that they are done on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fieldpack.checks import number, whole
from fieldpack.errors import SettingsError

Job = tuple[int, bytes]
"""A piece of work: its number and its content. Its result has the same form and the same number."""
MOST_WORKERS = 100_000


class Worker(Protocol):
    """Does one job after another. It holds the model, and is made once in each process."""

    def __call__(self, number: int, content: bytes) -> bytes: ...


@dataclass(frozen=True)
class ComputeOptions:
    """ray: None for this process; "local" for a Ray cluster of this machine's cores that ends with the call; "auto" or
    HOST:PORT for one that runs. workers: processes (None: as many as the cluster's cores or GPUs hold). gpus: share of
    a GPU that a worker asks for (None: a whole one where there are GPUs and the model is a transformer). cores: of the
    processor, that a worker asks for. A program that has called ray.init keeps its own connection, whatever `ray` says.

    Raises SettingsError.
    """

    ray: str | None = None
    workers: int | None = None
    gpus: float | None = None
    cores: float = 1.0

    def __post_init__(self) -> None:
        if self.ray is not None and (not isinstance(self.ray, str) or not self.ray.strip()):
            raise SettingsError(f"ray is {self.ray!r}; allowed: None, 'local', 'auto', 'HOST:PORT'")
        if self.workers is not None:
            whole("workers", self.workers, 1, MOST_WORKERS)
        if self.gpus is not None:
            number("gpus", self.gpus, 0, 64)
        number("cores", self.cores, 0.01, 1024)
