"""What a run was measured on, and with which versions."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

PEER_PACKAGES = (
    "langchain-core",
    "langchain-classic",
    "langchain-community",
    "llama-index-core",
    "haystack-ai",
    "sentence-transformers-haystack",
    "pyversity",
    "submodlib-py",
    "bm25s",
    "pysbd",
    "langchain-text-splitters",
    "trimwise",
    "redhop",
    "sentence-transformers",
)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """The installed versions of fieldpack and the peers."""
    installed = {}
    for package in ("fieldpack", *PEER_PACKAGES):
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed
