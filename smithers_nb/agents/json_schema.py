"""Arguments that a person writes for a tool, held against the tool's JSON schema."""

from __future__ import annotations

import json
from typing import Any


def load() -> None:
    """Import what ``schema_error`` needs: it takes up to seconds on a busy machine."""
    import jsonschema  # type: ignore[import-untyped]  # noqa: F401


def schema_error(schema: str, args: dict[str, Any]) -> str | None:  # Any: JSON
    """Return the mistake in arguments, in words; None if the schema, as JSON text, takes them."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

    found = best_match(Draft202012Validator(json.loads(schema)).iter_errors(args))
    if found is None:
        return None
    place = "".join(f"[{part!r}]" for part in found.absolute_path)
    return f"args{place}: {found.message}"
