"""Every error that fieldpack raises on purpose.

FieldpackError
├── InputError (ValueError)        bad input: what was found, what is allowed, what to do   -> CLI exit 2
│   ├── UnknownNameError           a model, encoding, preset ... by a name that is not there; carries the list
│   ├── SettingsError              a setting out of range, or an unknown key
│   └── ShellSyntaxError           .line, .column (1-based), .expected
├── BudgetError (ValueError)       the pinned text cannot fit the budget                    -> CLI exit 3
├── EmbeddingError (RuntimeError)  an embedder failed: raised, NaN, wrong shape, remote trouble
├── AssetError (RuntimeError)      a shipped file is missing or fails its checksum
└── MissingExtraError (ImportError) an optional package is not installed; names the extra
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class FieldpackError(Exception):
    """Base of all errors raised by fieldpack."""

    def __reduce__(self) -> tuple[Any, ...]:
        # An error of a process pool comes back as a pickle. Python's own way calls the class with the message alone.
        return _rebuilt, (type(self), self.args), dict(vars(self))


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    return kind.__new__(kind, *args)


class InputError(FieldpackError, ValueError):
    """Bad input: the message says what was found, what is allowed and what to do."""


class UnknownNameError(InputError):
    """A name that is not known; the message lists the known ones, the nearest first."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.found, self.known = name, sorted(known)
        nearest = difflib.get_close_matches(name, self.known, n=1, cutoff=0.5)
        message = f"unknown {kind} {name!r}"
        message += f" (did you mean {nearest[0]!r}?)" if nearest else ""
        message += f"; known: {', '.join(self.known)}"
        super().__init__(f"{message}. {hint}" if hint else message)


class SettingsError(InputError):
    """A setting out of its range, or a key that no setting has."""


class ShellSyntaxError(InputError):
    """A shell that does not parse; `line` and `column` count from 1, `expected` names what could stand there."""

    def __init__(self, message: str, line: int, column: int, expected: Iterable[str] = ()) -> None:
        self.line, self.column, self.expected = line, column, tuple(expected)
        wanted = f"; expected {' or '.join(self.expected)}" if self.expected else ""
        super().__init__(f"line {line}, column {column}: {message}{wanted}")


class BudgetError(FieldpackError, ValueError):
    """Pinned text that cannot fit; `needed` and `budget` are tokens."""

    def __init__(self, message: str, needed: int, budget: int) -> None:
        self.needed, self.budget = needed, budget
        super().__init__(message)


class EmbeddingError(FieldpackError, RuntimeError):
    """An embedder raised, timed out, or returned what cannot be vectors of its texts."""


class AssetError(FieldpackError, RuntimeError):
    """A file that ships with fieldpack is missing or does not match its checksum."""


class MissingExtraError(FieldpackError, ImportError):
    """An optional package is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{package!r} is not installed; install it with: pip install 'fieldpack[{extra}]'")
