"""Here-documents of shells, Ruby, Perl and PHP: `cat <<EOF` and the lines up to one that is "EOF" alone."""

from __future__ import annotations

import re
from bisect import bisect_left

_OPENING = re.compile(r"<<<?[-~]?[ ]?([\"']?)([A-Za-z_]\w{1,30})\1(?!\w)")
_LONE_WORD = re.compile(r"^[ \t]*+([A-Za-z_]\w{1,30});?[ \t]*+$", re.MULTILINE)


def heredocs(text: str, low: int, high: int) -> list[tuple[int, int]]:
    """Ranges of the here-documents in text[low:high], from the opening mark to the end of the closing line; sorted and
    disjoint. One that is never closed is none."""
    if text.find("<<", low, high) < 0:
        return []
    closing: dict[str, list[int]] = {}
    for word in _LONE_WORD.finditer(text, low, high):
        closing.setdefault(word[1], []).append(word.end())
    out: list[tuple[int, int]] = []
    for opening in _OPENING.finditer(text, low, high):
        ends = closing.get(opening[2], [])
        at = bisect_left(ends, opening.end() + 1)
        if at < len(ends) and (not out or opening.start() >= out[-1][1]):
            out.append((opening.start(), ends[at]))
    return out
