"""What kind of text a text is: by its name's ending where that is sure, else by its first characters."""

from __future__ import annotations

import re

from fieldpack.text.structure import samples

FORMATS = (
    "plain",
    "markdown",
    "rst",
    "asciidoc",
    "man",
    "html",
    "xml",
    "python",
    "code",
    "json",
    "jsonl",
    "csv",
    "config",
    "log",
    "diff",
    "transcript",
    "mail",
    "terminal",
)
_BY_ENDING = {
    "md": "markdown",
    "markdown": "markdown",
    "mdx": "markdown",
    "rst": "rst",
    "adoc": "asciidoc",
    "asciidoc": "asciidoc",
    "htm": "html",
    "html": "html",
    "xhtml": "html",
    "xml": "xml",
    "py": "python",
    "pyi": "python",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "csv",
    "yaml": "config",
    "yml": "config",
    "toml": "config",
    "ini": "config",
    "cfg": "config",
    "conf": "config",
    "properties": "config",
    "env": "config",
    "log": "log",
    "diff": "diff",
    "patch": "diff",
    "dockerfile": "config",
    "srt": "transcript",
    "vtt": "transcript",
    "eml": "mail",
}
_SOURCE = frozenset(
    [
        "js",
        "jsx",
        "mjs",
        "cjs",
        "ts",
        "tsx",
        "java",
        "kt",
        "kts",
        "scala",
        "c",
        "h",
        "cc",
        "cpp",
        "cxx",
        "hpp",
        "hh",
        "cs",
        "go",
        "rs",
        "rb",
        "php",
        "swift",
        "m",
        "mm",
        "sh",
        "bash",
        "zsh",
        "ps1",
        "lua",
        "pl",
        "pm",
        "r",
        "jl",
        "hs",
        "ml",
        "clj",
        "ex",
        "exs",
        "erl",
        "dart",
        "sql",
        "css",
        "scss",
        "less",
        "vue",
        "svelte",
        "proto",
        "tf",
        "gradle",
        "groovy",
        "vb",
        "f90",
        "asm",
        "s",
    ]
)
_SIGN = re.compile(r"[#`<{\[@~|:=(]")
"""A text of one line in which none of these stands passes no test: without them each needs several lines."""
_IN_ORDER = [(kind, samples.FEWEST_LINES.get(kind, 1), test) for kind, test in samples.TESTS.items()]
_READ_AS = {"json": ("jsonl", "json"), "jsonl": ("jsonl", "json"), "html": ("html",), "xml": ("xml",)}


def names_a_document(name: str) -> bool:
    """Whether a name ends as that of a text, a table or a file of settings does."""
    return "." in name and name.rpartition(".")[2].lower() in _BY_ENDING


def format_of(text: str, name: str = "") -> str:
    """One of FORMATS. An ending that the text does not bear out (a `.json` that is none) does not count; `.txt` and
    `.log` say nothing. A text without a name is read by what stands in its first 20,000 characters."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    by_name = "code" if ending in _SOURCE else _BY_ENDING.get(ending, "")
    if by_name in _READ_AS:
        return next((kind for kind in _READ_AS[by_name] if samples.TESTS[kind](text)), _by_content(text))
    if by_name and by_name != "log":
        return by_name
    return _by_content(text)


def _by_content(text: str) -> str:
    head = text[: samples.SAMPLE_CHARS]
    if not head or head.isspace():
        return "plain"
    lines = head.count("\n") + 1
    if lines == 1 and _SIGN.search(head) is None:
        return "plain"  # most passages
    for kind, fewest, test in _IN_ORDER:
        if lines >= fewest and test(text if kind in samples.WHOLE else head):
            return kind
    return "plain"
