"""Every notebook runs from top to bottom, offline, in one kernel: each finds no name that another made."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def test_they_are_there():
    assert len(NOTEBOOKS) >= 6


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel; the imports of one notebook serve the next."""
    from jupyter_client import KernelManager

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_runs(path, kernel, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    anew = f"%reset -f\nimport os\nos.chdir({str(tmp_path)!r})\n%reset -f"
    book.cells.insert(0, nbformat.v4.new_code_cell(anew))
    NotebookClient(book, km=kernel, timeout=300).execute()
