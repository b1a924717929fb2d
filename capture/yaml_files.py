"""YAML files that people write for capture: validation, and errors that name file, line and field.

Knows no kind of description.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from capture.errors import RequestError
from datastore.descriptions import describe_problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


def parse_yaml(
    text: str, source: str, model: type[Model], error: type[RequestError], *, noun: str
) -> Model:
    """Validate the text of a YAML file.

    Parameters
    ----------
    text, source
        What is in the file, and what names it in errors.
    model
        What it must be.
    error
        Class of the errors.
    noun
        What such a file holds, for people.

    Raises
    ------
    RequestError
        Of the class `error`, a line for every field that is wrong.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(root, source, error)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        # a date that no calendar has is a ValueError
        raise error(f"{source}: no YAML: {problem}") from None
    if root is None or not isinstance(content, dict):
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        raise error(
            f"{source}: a {noun} is a mapping with at least"
            f" {', '.join(required[:-1])} and {required[-1]}"
        )
    try:
        return model.model_validate(content)
    except ValidationError as found:
        problems = [
            f"{source}:{_line_of(root, problem['loc'])}: {_field(problem['loc'], noun)}:"
            f" {_said(problem, noun)}"
            for problem in found.errors()
        ]
        raise error("\n".join(problems)) from None


def _said(problem: ErrorDetails, noun: str) -> str:
    said = describe_problem(problem)
    return f"{said} in a {noun}" if problem["type"] == "extra_forbidden" else said


def _field(location: Iterable[Hashable], noun: str) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or noun


def _line_of(root: yaml.Node, location: Iterable[Hashable]) -> int:
    """Return the line (from 1) of the deepest node of the location that the text holds."""
    node: yaml.Node = root
    line = node.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == part:
                    node, line = value, key.start_mark.line
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return int(line) + 1


def _refuse_repeated_keys(root: yaml.Node | None, source: str, error: type[RequestError]) -> None:
    # YAML's loader lets the last of two equal keys win without a word
    waiting = [root] if root is not None else []
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise error(f"{source}:{key.start_mark.line + 1}: {key.value}: given twice")
                seen.add(str(key.value))
                waiting.append(value)
