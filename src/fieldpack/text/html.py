"""Reading HTML lives in `fieldpack.files`; this name stays where it was first."""

from fieldpack.files.html import html_text as html_text
