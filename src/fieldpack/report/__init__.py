"""The report: one self-contained HTML file that shows what was kept, what was dropped, and why."""

from fieldpack.report.page import field_page, result_page
from fieldpack.report.snippets import result_snippet

__all__ = ["field_page", "result_page", "result_snippet"]
