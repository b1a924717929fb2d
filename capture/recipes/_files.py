"""Recipes as YAML files: reading, and errors that name file, line and field."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from capture import ready_recipes as ready
from capture.errors import RecipeError
from capture.recipes._model import Recipe

_READY_FOLDER: Final = Path(ready.__file__).parent


def ready_recipes() -> dict[str, Path]:
    """Return the recipes that come with agetrace: name and path."""
    return {path.stem: path for path in sorted(_READY_FOLDER.glob("*.yaml"))}


def read_recipe(path: Path) -> Recipe:
    """Read and validate a YAML recipe; errors name the field and its line.

    Parameters
    ----------
    path
        A file, or the name of a recipe that comes with agetrace, such as `dark-field-grid`.

    Raises
    ------
    RecipeError
        If it cannot be read or is malformed.
    """
    if not path.exists() and path.parent == Path() and path.stem in ready_recipes():
        path = ready_recipes()[path.stem]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(ready_recipes())
        raise RecipeError(
            f"recipe {path} cannot be read ({error}); ready recipes are {known}"
        ) from None
    return parse_recipe(text, str(path))


def parse_recipe(text: str, source: str) -> Recipe:
    """Validate the text of a YAML recipe; `source` names it in errors.

    Raises
    ------
    RecipeError
        If it is malformed.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(root, source)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise RecipeError(f"{source}: no YAML: {error}") from None
    if root is None or not isinstance(content, dict):
        raise RecipeError(f"{source}: a recipe is a mapping with at least name and shots")
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{source}:{_line_of(root, problem['loc'])}: {_field(problem['loc'])}: {_said(problem)}"
            for problem in error.errors()
        ]
        raise RecipeError("\n".join(problems)) from None


def _said(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "no such field in a recipe"
    return str(problem["msg"]).removeprefix("Value error, ")


def _field(location: Iterable[Hashable]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "recipe"


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


def _refuse_repeated_keys(root: yaml.Node | None, source: str) -> None:
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
                    raise RecipeError(
                        f"{source}:{key.start_mark.line + 1}: {key.value}: given twice"
                    )
                seen.add(str(key.value))
                waiting.append(value)
