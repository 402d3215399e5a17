"""Properties of a result of release 0.1 under their old names, for one release more."""

from __future__ import annotations

from typing import Any

from fieldpack.deprecation import renamed


class OldResultNames:
    """The properties of 0.1 that have another name now."""

    @property
    def prepared(self: Any) -> Any:
        """Deprecated name of `corpus`."""
        renamed("Result.prepared", "Result.corpus")
        return self.corpus

    @property
    def passed(self: Any) -> Any:
        """Deprecated name of `skipped`."""
        renamed("Result.passed", "Result.skipped")
        return self.skipped

    @property
    def asked(self: Any) -> Any:
        """Deprecated name of `query_vectors`."""
        renamed("Result.asked", "Result.query_vectors")
        return self.query_vectors
