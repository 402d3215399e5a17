"""The files of a folder, in sorted order, without hidden, ignored and package files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fieldpack.errors import InputError
from fieldpack.files import model

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

OnLeftOut = Callable[[str, str, str], None]  # path, sort, reason
_PACKAGE_FOLDERS = frozenset({"__pycache__", "node_modules", "venv", "env", "virtualenv", "site-packages"})
_STORES = frozenset({".git", ".hg", ".svn", "CVS"})  # never read: copies of what lies beside them
_MOST_STARS = 3  # in a pattern: pathspec makes a regular expression of it, which takes length^stars steps on a name
_LONGEST_IGNORE_FILE = 1 << 20


@dataclass
class _Ignored:
    """The .gitignore files on the way to a folder: (their folder, their rules), outermost first."""

    rules: list[tuple[str, GitIgnoreSpec]] = field(default_factory=list)

    def matches(self, path: str, is_folder: bool) -> bool:
        """Does the last rule that speaks of the path ignore it? A deeper file goes before one above it."""
        for folder, spec in reversed(self.rules):
            inside = os.path.relpath(path, folder or ".").replace(os.sep, "/")
            ignored = spec.check_file(f"{inside}/" if is_folder else inside).include
            if ignored is not None:
                return ignored
        return False

    def below(self, folder: str) -> _Ignored:
        spec = _spec(os.path.join(folder, ".gitignore"))
        return _Ignored([*self.rules, (folder, spec)]) if spec is not None else self


def walk(folder: str, everything: bool, left_out: OnLeftOut) -> Iterator[str]:
    """Paths of the files below a folder; what is left out is told to `left_out(path, sort, reason)`.

    A folder inside it that cannot be listed is left out, too. Symbolic links to folders are not followed. Raises
    InputError when the folder itself cannot be listed.
    """

    def failed(error: OSError) -> None:
        if str(error.filename) == folder:
            raise InputError(f"cannot read folder {error.filename}: {error.strerror}")
        left_out(Path(str(error.filename)).as_posix(), model.UNREADABLE, f"cannot read folder: {error.strerror}")

    ignored = {folder: _Ignored() if everything else _around(folder)}
    for root, folders, files in os.walk(folder, onerror=failed):
        here = ignored.pop(root, _Ignored())
        here = here if everything else here.below(root)
        folders[:] = [name for name in sorted(folders) if _enters(root, name, everything, here, left_out)]
        for name in folders:
            ignored[os.path.join(root, name)] = here
        for name in sorted(files):
            path = os.path.join(root, name)
            shown = Path(path).as_posix()
            if name.startswith(".") and not everything:
                left_out(shown, model.HIDDEN, "hidden file")
            elif not os.path.isfile(path):
                left_out(shown, model.SPECIAL, "not a regular file")
            elif here.matches(path, is_folder=False):
                left_out(shown, model.IGNORED, "ignored by .gitignore (--all reads it)")
            else:
                yield shown


def _enters(root: str, name: str, everything: bool, ignored: _Ignored, left_out: OnLeftOut) -> bool:
    """Is a folder to be walked?"""
    path = os.path.join(root, name)
    shown = Path(path).as_posix()
    if os.path.islink(path):
        left_out(shown, model.LINK, "link to a folder")
    elif name in _STORES or (name.startswith(".") and not everything):
        left_out(shown, model.HIDDEN, "hidden or version-control folder")
    elif not everything and (name in _PACKAGE_FOLDERS or os.path.isfile(os.path.join(path, "pyvenv.cfg"))):
        left_out(shown, model.PACKAGES, "package or cache folder (--all reads it)")
    elif ignored.matches(path, is_folder=True):
        left_out(shown, model.IGNORED, "ignored by .gitignore (--all reads it)")
    else:
        return True
    return False


def _around(folder: str) -> _Ignored:
    """The rules of the folders above, up to the root of the repository that holds the folder; none where they ignore
    the folder itself."""
    place = os.path.abspath(folder)
    above = [place, *map(str, Path(place).parents)]
    root = next((i for i, at in enumerate(above) if os.path.exists(os.path.join(at, ".git"))), 0)
    ignored = _Ignored()
    if root or os.path.exists(os.path.join(place, ".git")):
        spec = _spec(os.path.join(above[root], ".git", "info", "exclude"))
        ignored = _Ignored([(above[root], spec)]) if spec is not None else ignored
    for at in reversed(above[1 : root + 1]):
        ignored = ignored.below(at)
    # Who names a folder wants it, although a rule above it says no.
    return _Ignored() if ignored.matches(place, is_folder=True) else ignored


def _spec(path: str) -> GitIgnoreSpec | None:
    """The rules of an ignore file, None where there are none. A line that is no pattern is passed over, as git does."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as stream:
            text = stream.read(_LONGEST_IGNORE_FILE).decode("utf-8", "replace")
    except OSError:
        return None
    from pathspec import GitIgnoreSpec

    lines = [line for line in text.splitlines() if _is_cheap(line)]
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_cheap(line: str) -> bool:
    return line.replace("**", "").count("*") <= _MOST_STARS and line.count("**") <= _MOST_STARS


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
