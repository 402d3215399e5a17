"""Jobs over Ray Data: a pool of actors, each with a worker of its own. Only here is ray imported, inside functions."""

from __future__ import annotations

import inspect
import itertools
import logging
import os
import re
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fieldpack.errors import FieldpackError, InputError, MissingExtraError
from fieldpack.parallel.jobs import ComputeOptions, Job, Worker
from fieldpack.version import __version__

ANSWER = 5.0
"""Seconds that the head of a cluster has to answer. (Ray itself tries for two minutes and then ends the process.)"""
RETRIES = 16
"""Times that a job is begun again after its worker was killed; more says that it is the job that kills its workers."""
_RAISED = re.compile(r"(?!ray\.)[\w.]+(?:Error|Exception): ")
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_SETTINGS_FRAME = 4


@dataclass(frozen=True)
class PoolSize:
    """A pool of `workers` actors, each with a number of processor cores and a share of a GPU."""

    workers: int
    cores: float
    gpus: float


def pool_size(resources: Mapping[str, float], compute: ComputeOptions, gpu: str) -> PoolSize:
    """The pool to ask of a cluster with the resources {"CPU": 8.0, "GPU": 1.0}. gpu: see `run_jobs`.

    Raises InputError for a GPU where there is none, and for a worker that is larger than the cluster.
    """
    cpus, cards = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    gpus = compute.gpus
    if gpus is None:
        gpus = 1.0 if gpu == "must" or (gpu and cards) else 0.0
    if gpus > cards:
        raise InputError(
            f"the model asks for {gpus:g} GPUs a worker and the cluster has {cards:g}; "
            "start nodes with GPUs, or give the model device='cpu' and gpus=0"
        )
    if compute.cores > cpus:
        raise InputError(f"a worker asks for {compute.cores:g} cores and the cluster has {cpus:g}; ask for fewer")
    fit = min(cpus / compute.cores, cards / gpus if gpus else cpus / compute.cores)
    return PoolSize(compute.workers or max(1, int(fit)), compute.cores, gpus)


def run_on_ray(
    make_worker: Callable[[], Worker], jobs: Iterable[Job], compute: ComputeOptions, address: str, gpu: str
) -> Iterator[Job]:
    """`run_jobs` on the cluster at `address`. An actor that is killed is started again, and its job done again."""
    jobs = iter(jobs)
    first = next(jobs, None)
    if first is None:
        return
    ray = _ray()
    _check_travels(ray, make_worker)
    with _connected(ray, address, compute.workers):
        size = pool_size(ray.cluster_resources(), compute, gpu)
        _silence(ray)
        # The store of objects spills to disk what it cannot hold.
        blocks = [ray.put(_table([job])) for job in itertools.chain([first], jobs)]
        results = ray.data.from_arrow_refs(blocks).map_batches(
            Actor,
            fn_constructor_args=(make_worker, __version__),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=min(size.workers, len(blocks))),
            num_cpus=size.cores,
            num_gpus=size.gpus or None,
            **_retries(ray),
        )
        yield from _results(ray, results)


def _results(ray: Any, results: Any) -> Iterator[Job]:
    try:
        for row in results.iter_rows():
            if row["failure"]:
                raise FieldpackError(row["failure"])
            yield int(row["number"]), bytes(row["content"])
    except ray.exceptions.RayError as error:
        raise FieldpackError(f"{_cause(error)}; what is done is kept: run the same again to go on") from error


class Actor:
    """A process of the pool: makes its worker once, then does jobs. An error travels back as its message, so that the
    caller raises one that says what to do, instead of a traceback of another machine."""

    def __init__(self, make_worker: Callable[[], Worker], version: str) -> None:
        # One core each: an actor that starts threads for all cores of its machine slows the others down.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        self._failure, self._worker = "", None
        try:
            if version != __version__:
                raise InputError(f"it has fieldpack {__version__}, and the caller {version}: install the same on all")
            self._worker = make_worker()
        except FieldpackError as error:
            self._failure = f"a worker on {socket.gethostname()} cannot start: {error}"

    def __call__(self, batch: Any) -> Any:
        rows: list[Job] = []
        for number, content in zip(batch["number"].to_pylist(), batch["content"].to_pylist(), strict=True):
            if self._worker is None:
                return _table([(number, b"")], self._failure)
            try:
                rows.append((number, self._worker(number, content)))
            except FieldpackError as error:
                return _table([(number, b"")], str(error))
        return _table(rows)


def _table(jobs: list[Job], failure: str = "") -> Any:
    import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return pa.table(
        {
            "number": pa.array([number for number, _ in jobs], pa.int64()),
            "content": pa.array([content for _, content in jobs], pa.large_binary()),
            "failure": pa.array([failure for _ in jobs], pa.large_string()),
        }
    )


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what concerns the caller is raised
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
        import ray  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import ray.data  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "pyarrow", "pandas"):
            raise
        raise MissingExtraError(str(error.name), "ray") from None
    return ray


@contextmanager
def _connected(ray: Any, address: str, workers: int | None) -> Iterator[None]:
    """Connected while inside. A program that has called ray.init itself keeps its own connection."""
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == "local":
        settings |= {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    elif address != "auto":
        check_reachable(address)
    try:
        ray.init(address=address, **settings)
    except (Exception, SystemExit) as error:
        refused = "AuthToken" in f"{error.__context__}{error.__cause__}"
        hint = "; it wants its token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" if refused else ""
        raise InputError(f"no Ray cluster answers at {address!r}: {_first_line(error)}{hint}") from error
    try:
        yield
    finally:
        ray.shutdown()


def check_reachable(address: str) -> None:
    """Raises InputError within seconds when nothing that speaks Ray's protocol (gRPC) listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"ray address {address!r}; allowed: 'local', 'auto', or HOST:PORT of the head (ray start --head says it, "
            "6379 unless told otherwise), from a machine of the cluster; from elsewhere: ray job submit"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER) as line:
            line.settimeout(ANSWER)
            line.sendall(_HELLO)
            answer = line.recv(9) if os.environ.get("RAY_USE_TLS") != "1" else bytes([0, 0, 0, _SETTINGS_FRAME])
    except OSError as error:
        why = "it does not answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise InputError(
            f"no Ray cluster at {address}: {why}; start one (ray start --head), or give the address of its head"
        ) from error
    if len(answer) < 4 or answer[3] != _SETTINGS_FRAME:
        raise InputError(
            f"no Ray cluster at {address}: what listens there is something else; give its head's HOST:PORT"
        )


def _check_travels(ray: Any, make_worker: Callable[[], Worker]) -> None:
    """Raises InputError for an embedder or token counter that Ray cannot send."""
    try:
        ray.cloudpickle.dumps(make_worker)
    except Exception as error:  # whatever the objects' own methods raise
        raise InputError(
            f"the packer cannot travel to other processes: {_first_line(error)}; "
            "name its model and encoding, or give objects that can be pickled"
        ) from error


def _retries(ray: Any) -> dict[str, int]:
    """The limits of retries, where this version of Ray takes them; others repeat a job without end."""
    open_ended = "ray_remote_args" in inspect.signature(ray.data.Dataset.map_batches).parameters
    return {"max_restarts": -1, "max_task_retries": RETRIES} if open_ended else {}


def _silence(ray: Any) -> None:
    """Ray Data draws bars and logs of its own; progress is shown by the caller."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", message=".*ray_remote_args", module="fieldpack")


def _cause(error: BaseException) -> str:
    """The cause of a run's end in one line: the last exception of a worker's traceback, else Ray's own message."""
    raised = [line.strip() for line in str(error).splitlines() if _RAISED.match(line.strip())]
    if raised:
        return f"a worker failed: {raised[-1][:300]} (all machines need the same fieldpack, packages and files)"
    return (
        f"the cluster gave up ({_first_line(error)}): it went away, or one job killed its workers again and again "
        "(does it fit the memory?)"
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
