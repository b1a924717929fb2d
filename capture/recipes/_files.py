"""Recipes as YAML files: which come with agetrace, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from capture import ready_recipes as ready
from capture.errors import RecipeError
from capture.recipes._model import Recipe
from capture.yaml_files import parse_yaml

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
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        known = ", ".join(ready_recipes())
        raise RecipeError(
            f"recipe {path} cannot be read: {why}; ready recipes are {known}"
        ) from None
    return parse_recipe(text, str(path))


def parse_recipe(text: str, source: str) -> Recipe:
    """Validate the text of a YAML recipe; `source` names it in errors.

    Raises
    ------
    RecipeError
        If it is malformed.
    """
    return parse_yaml(text, source, Recipe, RecipeError, noun="recipe")
