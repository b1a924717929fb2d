"""Which patches of a dataset's frames networks see; cuts none."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PatchKind = Literal["five-crop", "grid", "random", "defect-centred", "tiles"]


class PatchSpec(BaseModel):
    """Kind, size and number of patches.

    Attributes
    ----------
    kind
        `five-crop`: the four corners and the middle. `grid`: non-overlapping blocks of the visible
        part, centred. `random`: places drawn anew each epoch. `defect-centred`: around the defects
        of the camera's ledger, with as many places without a defect. `tiles`: blocks that cover the
        whole visible part, the last of a row or column overlapping the one before.
    size
        Side in photosites, even.
    count
        Patches per frame of `random`; the most of `grid` and `defect-centred`, all of them where it
        is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PatchKind
    size: Annotated[int, Field(ge=8, multiple_of=2, strict=True)] = 256
    count: Annotated[int, Field(ge=1, strict=True)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "random" and self.count is None:
            raise ValueError("patches: random needs a count per frame")
        if self.kind in ("five-crop", "tiles") and self.count is not None:
            raise ValueError(f"patches: {self.kind} has a number of its own: leave out count")
        return self
