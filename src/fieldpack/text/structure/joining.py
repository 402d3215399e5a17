"""The structure of what builders have collected, text after text."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from fieldpack.text.structure.builder import Builder
from fieldpack.text.structure.model import ATOM_WIDTH, BLOCK_WIDTH, Blocks, Structure
from fieldpack.types import IntArray


def joined(builders: Iterable[Builder], name: str = "") -> Structure:
    """The structure of texts one after another: each has a root block, and ranges are those in its own text."""
    atoms, blocks = array("q"), array("q")
    sizes = [(0, 0)]
    for builder in builders:
        own_atoms, own_blocks = builder.columns()
        atoms.extend(own_atoms)
        blocks.extend(own_blocks)
        sizes.append((len(own_atoms) // ATOM_WIDTH, len(own_blocks) // BLOCK_WIDTH))
    counts = np.array(sizes)
    before = np.cumsum(counts, axis=0)[:-1]
    start, end, kind, role, block, context, row = np.frombuffer(atoms, np.int64).reshape(-1, ATOM_WIDTH).T.copy()
    block_kind, parent, section, flags, rows = np.frombuffer(blocks, np.int64).reshape(-1, BLOCK_WIDTH).T.copy()
    if len(before) > 1:
        atoms_before, blocks_before = before.T
        block = block + np.repeat(blocks_before, counts[1:, 0])
        context = _moved(context, np.repeat(atoms_before, counts[1:, 0]))
        parent = _moved(parent, np.repeat(blocks_before, counts[1:, 1]))
        section = _moved(section, np.repeat(atoms_before, counts[1:, 1]))
    return Structure(
        start=start,
        end=end,
        kind=kind.astype(np.int8),
        role=role.astype(np.int8),
        block=block,
        context=context,
        row=row,
        blocks=Blocks(block_kind, parent, section, flags, rows),
        format=name,
    )


def _moved(numbers: IntArray, by: IntArray) -> IntArray:
    """Numbers of atoms or blocks after `by` others; -1 stays what it is."""
    return np.where(numbers >= 0, numbers + by, -1)
