"""Judgements beyond a dataset's own blocks, and masks of photosites; plain descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.experiments.errors import ExperimentError

Coordinates = NDArray[np.int64]
JudgedBlock = Literal["validation", "new-session", "new-scene", "clean", "swapped"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mask(_Strict):
    """Photosites that are inpainted in every frame of every class alike.

    `ledger` masks the defects that the camera's newest ledger saw arise, those present from the
    first dark session on apart; `coordinates` the photosites of a file; `random` is the control:
    as many photosites per camera as `ledger` masks, none of them in the ledger.
    """

    by: Literal["ledger", "coordinates", "random"]
    file: Path | None = None
    """JSON of `{serial: [[row, column], ...]}`, for `coordinates` only."""
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _file_fits(self) -> Self:
        if (self.by == "coordinates") != (self.file is not None):
            raise ValueError("a mask by coordinates names a file, and no other mask does")
        return self


class Evaluation(_Strict):
    """A further judgement of every run.

    `dataset` names another frozen dataset (by version, start of it, or name), the experiment's own
    otherwise. `swapped` are the frames of that dataset's new-session block in which each class
    shows the scenes that the experiment's dataset gave to the other class.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=100)]
    block: JudgedBlock
    dataset: str | None = None
    mask: Mask | None = None


def read_coordinates(path: Path) -> dict[str, Coordinates]:
    """Read photosites per camera serial, arrays of shape (n, 2), rows and columns.

    Raises
    ------
    ExperimentError
        If the file cannot be read or does not hold lists of row and column.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(serial): np.asarray(places, np.int64).reshape(-1, 2)
            for serial, places in document.items()
        }
    except (OSError, ValueError, AttributeError) as error:
        raise ExperimentError(
            f"{path}: expected JSON of {{serial: [[row, column], ...]}}: {error}"
        ) from None
