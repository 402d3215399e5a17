"""The report: one self-contained HTML file that shows what was kept, what was dropped, and why."""

from __future__ import annotations

import warnings
from typing import Any

from fieldpack.report.compare import comparison_of
from fieldpack.report.numbers import passage_numbers
from fieldpack.report.packs import at_other_budgets
from fieldpack.report.page import field_page, pack_map, pack_page
from fieldpack.report.snippets import pack_snippet
from fieldpack.report.view import Comparison, FieldView, OtherPack, PackView, field_view

__all__ = [
    "Comparison",
    "FieldView",
    "OtherPack",
    "PackView",
    "at_other_budgets",
    "comparison_of",
    "field_page",
    "field_view",
    "pack_map",
    "pack_page",
    "pack_snippet",
    "passage_numbers",
    "result_page",
]


def result_page(result: Any, packs_shown: Any = None) -> str:
    """`result.to_html(packs_shown)`, which replaces it: it stays for one release more."""
    warnings.warn("fieldpack.report.result_page is now Result.to_html", DeprecationWarning, stacklevel=2)
    return str(result.to_html(packs_shown))
