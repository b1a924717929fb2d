"""Descriptions that people write in YAML: reading and checking them; knows no table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from datastore.errors import RequestError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "it is missing",
    "extra_forbidden": "no such field",
    "timezone_aware": "needs a time zone, such as Z or +01:00 at its end",
    "finite_number": "must be a finite number",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "needs at least {min_length} entries",
    "too_long": "may have at most {max_length} entries",
    "int_from_float": "must be a whole number",
    "union_tag_not_found": "needs {discriminator}, which says what it is",
    "union_tag_invalid": "{discriminator} must be one of {expected_tags}",
}
"""By pydantic's types of errors; in braces what it says of one."""

_NOUNS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "date": "a date, such as 2026-01-31",
    "datetime": "a time, such as 2026-01-31T12:00:00Z",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "string": "a text",
    "time": "a time of the day, such as 09:30",
    "tuple": "a list",
}


_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _well_formed(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "must begin with a letter or digit and go on with letters, digits, dots, hyphens and"
            " underscores, 100 altogether at most"
        )
    return name


Name = Annotated[str, AfterValidator(_well_formed)]
"""What people call a thing that they describe; fit for a file's name and a command line."""


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader that refuses a key given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping of a node."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line}: the key {key!r} is given twice")
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep)


def read_description(path: Path, model: type[Model], error: type[RequestError]) -> Model:
    """Read a YAML file as a pydantic model.

    Raises
    ------
    RequestError
        Of the class `error`, naming the file and every field that is wrong.
    """
    try:
        with path.open(encoding="utf-8") as file:
            content = yaml.load(file, Loader=_StrictLoader)  # noqa: S506 (a safe loader)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise error(f"{path} is no YAML: {problem}") from None
    try:
        return model.model_validate(content)
    except ValidationError as problem:
        raise error(f"{path}: {describe_problems(problem)}") from None


def describe_problems(problem: ValidationError) -> str:
    """Return what pydantic found wrong, field by field, on one line."""
    parts = []
    for found in problem.errors(include_url=False):
        field = ".".join(str(part) for part in found["loc"])
        parts.append(f"{field}: {describe_problem(found)}" if field else describe_problem(found))
    return "; ".join(parts)


def describe_problem(found: ErrorDetails) -> str:
    """Return one thing that pydantic found wrong in a field, for people who know no pydantic."""
    kind = found["type"]
    if kind in _SENTENCES:
        context = {name: _plain(value) for name, value in found.get("ctx", {}).items()}
        return _SENTENCES[kind].format(**context)
    if kind == "value_error":
        return found["msg"].removeprefix("Value error, ")
    noun = _NOUNS.get(kind.rpartition("_")[0])
    if noun is not None and kind.endswith(("_type", "_parsing")):
        # YAML takes a serial of digits for a number, and a day for a date
        quotes = noun == "a text" and isinstance(found["input"], int | float | date | time)
        return f"must be {noun}: write it in quotes" if quotes else f"must be {noun}"
    return found["msg"].replace("Input should", "must")


def _plain(value: Any) -> Any:
    # a bound of 0 seconds is no 0.0
    return int(value) if isinstance(value, float) and value.is_integer() else value
