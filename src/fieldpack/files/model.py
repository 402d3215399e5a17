"""The records of reading: what was asked for, what came of it, what was left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fieldpack.errors import InputError, MissingExtraError
from fieldpack.files.charset_names import checked_charset
from fieldpack.types import Document

OnSkip = Callable[[str, str], None]
MAX_BYTES = 512 << 20
ERROR_HANDLERS = ("strict", "replace", "ignore")

# Why something was not read, as a summary says it after a number: "7 ignored by .gitignore".
ALREADY_READ = "already read"
BINARY = "binary"
CONVERTER = "in need of fieldpack[files]"
EMPTY_RECORD = "without a text"
HIDDEN = "hidden"
IGNORED = "ignored by .gitignore"
LINK = "linked"
PACKAGES = "package or cache folders"
SPECIAL = "not regular"
UNREADABLE = "unreadable"


class ConverterMissing(MissingExtraError, InputError):
    """A file in a format that needs a package of the extra `files`."""

    def __init__(self, path: str, form: str, package: str) -> None:
        super().__init__(package, "files")
        self.args = (f"{path} is {form}; that needs {package}: pip install 'fieldpack[files]' (or convert it to text)",)

    def __str__(self) -> str:
        return str(self.args[0])


class BinaryFile(InputError):
    """A file that holds no text."""


@dataclass(frozen=True)
class ReadOptions:
    """How files are read.

    charset: the encoding of all files without a byte order mark, instead of what they declare or what is detected.
    encoding_errors: "strict" looks for another encoding where UTF-8 fails; "replace" and "ignore" read on as UTF-8.
    everything: read hidden and ignored files, and the folders of packages, too; version control's own never.
    max_bytes: of one file or of standard input. Raises InputError for values that are not allowed.
    """

    charset: str | None = None
    encoding_errors: str = "strict"
    everything: bool = False
    max_bytes: int = MAX_BYTES

    def __post_init__(self) -> None:
        if self.encoding_errors not in ERROR_HANDLERS:
            raise InputError(f"encoding_errors={self.encoding_errors!r}; allowed: {', '.join(ERROR_HANDLERS)}")
        if self.max_bytes < 1:
            raise InputError(f"max_bytes is {self.max_bytes}; allowed: 1 and more")
        if self.charset is not None:
            checked_charset(self.charset)


@dataclass(frozen=True)
class Skipped:
    """Something that was not read. sort: one of the words above, for counting. reason: the whole sentence."""

    path: str
    sort: str
    reason: str


@dataclass(frozen=True)
class Note:
    """Something that a reader of the documents should know about a file that was read. sort: for counting."""

    path: str
    sort: str
    text: str


@dataclass(frozen=True)
class FilesRead:
    """What came of reading: documents in order, and everything that is not in them. files: how many were read."""

    documents: tuple[Document, ...]
    files: int
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[Note, ...] = ()

    def summary(self) -> str:
        """One line for all that was skipped or noted, "" for none: "read 40 files; skipped 12: 7 hidden, 5 binary"."""
        parts = []
        if self.skipped:
            parts.append(f"skipped {len(self.skipped)}: {_counted(s.sort for s in self.skipped)}")
        if self.notes:
            parts.append(f"noted: {_counted(n.sort for n in self.notes)}")
        files = f"read {self.files} {'file' if self.files == 1 else 'files'}"
        return "; ".join([files, *parts]) if parts else ""

    def lines(self) -> list[str]:
        """One line for each thing that was skipped or noted, in order of reading."""
        return [f"skipped {s.path}: {s.reason}" for s in self.skipped] + [f"{n.path}: {n.text}" for n in self.notes]


def _counted(sorts: Iterable[str]) -> str:
    counts = Counter(sorts)
    return ", ".join(f"{count} {sort}" for sort, count in counts.most_common())
