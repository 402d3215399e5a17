"""What the models of requests are made of: bounded texts and numbers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

MOST_TOKENS = 1_000_000_000_000


def _without_fraction(value: Any) -> Any:
    """5.0 is the integer 5 for JSON Schema, and so it is here."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_without_fraction)
Text = Annotated[str, Field(max_length=10_000_000)]
Title = Annotated[str, Field(max_length=2000)]
Id = Annotated[str, Field(min_length=1, max_length=2000)]
Tokens = Annotated[int, Field(ge=0, le=MOST_TOKENS), WHOLE]
Budget = Annotated[int, Field(ge=1, le=100_000_000, description="Tokens at most, counted on the text."), WHOLE]
Model = Annotated[str, Field(min_length=1, max_length=300, description="static | minilm | cascade.")]
Encoding = Literal["o200k_base", "cl100k_base"]


Number = Annotated[float, Field(ge=-1e300, le=1e300)]
