"""What the pixel baselines of an audit see, for the commands that audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agetrace.cli._shared import progress_bar, say

if TYPE_CHECKING:
    from agetrace.settings import Home
    from datastore.catalogue import Catalogue
    from datastore.datasets.audited import PixelFeatures
    from datastore.datasets.auditing.facts import BaselineFeatures
    from datastore.datasets.manifest import Manifest

WithoutPixels = Annotated[
    bool,
    typer.Option(
        "--without-pixels",
        help="Leave out the baselines that decode every frame; the audit says that they did not"
        " run.",
    ),
]


def pixels_of(
    home: Home, catalogue: Catalogue, is_without: bool, *, quiet: bool
) -> PixelFeatures | None:
    """Return how to get what the pixel baselines see; None where they are not wanted."""
    if is_without:
        return None

    def features(manifest: Manifest) -> list[BaselineFeatures]:
        from training.baselines import GridCache, pixel_features

        cache = GridCache(home.work_root / "baselines", report=say)
        with progress_bar("pixel baselines", quiet=quiet) as advance:
            return list(pixel_features(catalogue, manifest.items, cache=cache, progress=advance))

    return features
