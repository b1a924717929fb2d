"""Whether maps depend on what is in the picture: its edges, its luminance, which scene it is.

Pure numpy and scipy; knows neither networks nor catalogues. NaN in a map or a picture marks cells
that no crop covers; they take part in nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from training.saliency.errors import SaliencyError
from training.saliency.image_groups import ImageGroups
from training.saliency.measures import standardised
from training.saliency.resampling import central_interval, jackknife_interval, smallest_share
from training.saliency.scene_recognition import SceneRecognition, scene_recognition
from training.statistics import Interval, bootstrap_interval

Maps = NDArray[np.float32]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ContentCorrelation:
    """Correlation of maps with something seen in the picture.

    Attributes
    ----------
    correlation
        Mean over the images of the correlation of the map with the image's own picture.
    interval
        Of it, by resampling whole sessions and scenes.
    p_value
        Share of the pairings of scenes with other scenes' pictures whose mean correlation is at
        least as far from theirs all (two-sided, the true pairing among them); None with one scene.
    smallest_p
        The p-value that the farthest of all would have got.
    shuffled_correlation, shuffled_interval
        Mean and central 95 % of the pairings: what vignetting, or what all scenes have in common,
        gives without regard to the scene.
    images
        Images whose map and picture both vary.
    """

    correlation: float
    interval: Interval
    p_value: float | None
    smallest_p: float | None
    shuffled_correlation: float | None
    shuffled_interval: Interval | None
    images: int


@dataclass(frozen=True)
class SceneCorrelations:
    """How alike maps are within and between scenes, over pairs of different sessions.

    Attributes
    ----------
    same_scene
        Mean correlation of the mean maps of one scene in two sessions.
    other_scene
        Mean correlation of the mean maps of two scenes in two sessions.
    p_value
        Share of the shuffles of scenes among sessions in which the first exceeds the second at
        least as much (one-sided, the true one among them).
    smallest_p
        The p-value that no other shuffle's reaching it would have got.
    """

    same_scene: float
    other_scene: float
    p_value: float
    smallest_p: float


@dataclass(frozen=True)
class ContentIndependence:
    """What maps have to do with the content of the images; None where undefined.

    Attributes
    ----------
    edges, luminance
        Correlation of the maps with the strength of edges and with luminance.
    recognition
        Of the scene from the map; None where no scene was taken in two sessions.
    between_scenes
        Mean correlation of the mean maps of two scenes: near 1 where maps do not depend on the
        scene and are hardly noisy.
    between_scenes_interval
        Of it, by leaving out one scene at a time.
    scene_correlations
        Of maps in different sessions, same and other scene; tells noise from dependence.
    images, scenes, sessions
        How many stand behind it. Constant maps are left out.
    constant_maps
        Images left out because their map is constant.
    """

    edges: ContentCorrelation | None
    luminance: ContentCorrelation | None
    recognition: SceneRecognition | None
    between_scenes: float | None
    between_scenes_interval: Interval | None
    scene_correlations: SceneCorrelations | None
    images: int
    scenes: int
    sessions: int
    constant_maps: int

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self)


def edge_strength(luminance: Maps) -> Maps:
    """Return the length of the gradient of a picture by Sobel's operator, per cell.

    Parameters
    ----------
    luminance
        float32, shape (rows, columns), or (images, rows, columns) for many.

    Returns
    -------
    ndarray
        float32, of the same shape, in units of luminance per cell; NaN at cells that are undefined
        or touch one that is.
    """
    values = luminance.astype(np.float64)
    # Sobel's kernel sums to 8 times the difference of neighbouring cells.
    down, across = (
        ndimage.correlate1d(
            ndimage.correlate1d(values, [-1, 0, 1], axis=axis, mode="nearest"),
            [1, 2, 1],
            axis=other,
            mode="nearest",
        )
        / 8
        for axis, other in ((-2, -1), (-1, -2))
    )
    return np.hypot(down, across).astype(np.float32)


def content_independence(
    maps: Maps,
    luminance: Maps,
    scenes: ArrayLike,
    sessions: ArrayLike,
    *,
    samples: int = 999,
    seed: int = 0,
) -> ContentIndependence:
    """Measure how far maps depend on the content of their images (reconstructed).

    All maps must show the evidence for one and the same class, or their signs hide the correlation.

    Under the nulls, scenes say nothing of maps. Pictures are exchanged between whole scenes.
    Scenes are shuffled among sessions: within a session its scenes take each other's names, images
    of one scene in one session staying together, and sessions of equally many scenes exchange
    theirs. So neither what a session's frames share nor what all maps share passes for content.

    Parameters
    ----------
    maps
        One map of each image, float32, shape (images, rows, columns).
    luminance
        Mean luminance in the same cells, same shape, any unit.
    scenes, sessions
        Of each image, shape (images,).
    samples
        Shuffles drawn.
    seed
        Seed of the drawing.

    Raises
    ------
    SaliencyError
        When shapes do not agree.
    """
    scene_names, session_names = np.asarray(scenes), np.asarray(sessions)
    if (
        maps.ndim != 3
        or luminance.shape != maps.shape
        or not scene_names.shape == session_names.shape == maps.shape[:1]
    ):
        raise SaliencyError(
            f"maps {maps.shape}, luminance {luminance.shape}, scenes {scene_names.shape}, sessions "
            f"{session_names.shape}: expected (images, rows, columns) twice and one name per image"
        )
    vectors = standardised(maps)
    varied = np.isfinite(vectors).all(axis=1)
    vectors, scene_names, session_names = (
        vectors[varied],
        scene_names[varied],
        session_names[varied],
    )
    images = ImageGroups.of(scene_names, session_names)
    between, between_interval = _between_scenes(vectors, images)
    return ContentIndependence(
        edges=_with_pictures(maps[varied], edge_strength(luminance[varied]), images, samples, seed),
        luminance=_with_pictures(maps[varied], luminance[varied], images, samples, seed),
        recognition=scene_recognition(vectors, images, samples, seed),
        between_scenes=between,
        between_scenes_interval=between_interval,
        scene_correlations=_scene_correlations(vectors, images, samples, seed),
        images=len(vectors),
        scenes=images.scene_count,
        sessions=images.session_count,
        constant_maps=int(np.sum(~varied)),
    )


def _with_pictures(
    maps: Maps, pictures: Maps, images: ImageGroups, samples: int, seed: int
) -> ContentCorrelation | None:
    """Compare the correlation of maps and pictures with that of other scenes' pictures."""
    together = np.isfinite(maps).all(axis=0) & np.isfinite(pictures).all(axis=0)
    seen = standardised(pictures[:, together][:, None])
    looked = standardised(maps[:, together][:, None])
    defined = np.isfinite(seen).all(axis=1) & np.isfinite(looked).all(axis=1)
    if not defined.any():
        return None
    products = looked[defined] @ seen[defined].T
    own = np.diag(products)
    session_of = images.session_of[defined]
    names, scene_of, counts = np.unique(
        images.scene_of[defined], return_inverse=True, return_counts=True
    )
    member = np.eye(len(names))[scene_of]
    means = member.T @ products @ member / counts  # sum over maps' images, mean over pictures
    interval = bootstrap_interval(own, session_of, scene_of, seed=seed)
    p_value = smallest_p = shuffled_mean = shuffled_interval = None
    if len(names) > 1:
        generator = np.random.default_rng(seed)
        rows = np.arange(len(names))
        paired = np.array(
            [means[rows, generator.permutation(len(names))].sum() for _ in range(samples)]
        ) / len(own)
        everything = np.append(paired, means[rows, rows].sum() / len(own))
        # The centre of all pairings there are.
        distance = np.abs(everything - means.sum() / len(names) / len(own))
        p_value = float(np.mean(distance >= distance[-1] - 1e-12))
        smallest_p = max(1 / (samples + 1), 1 / factorial(len(names)))
        shuffled_mean, shuffled_interval = float(paired.mean()), central_interval(paired)
    return ContentCorrelation(
        correlation=float(own.mean()),
        interval=interval,
        p_value=p_value,
        smallest_p=smallest_p,
        shuffled_correlation=shuffled_mean,
        shuffled_interval=shuffled_interval,
        images=len(own),
    )


def _between_scenes(vectors: Floats, images: ImageGroups) -> tuple[float | None, Interval | None]:
    """Return the mean correlation of the scenes' mean maps, with its interval."""
    scenes = images.scene_count
    if scenes < 2:
        return None, None
    means = np.stack([vectors[images.scene_of == scene].mean(axis=0) for scene in range(scenes)])
    mean_vectors = standardised(means[:, None])
    correlations = mean_vectors @ mean_vectors.T
    correlations[np.diag_indices(scenes)] = np.nan

    def mean_of(chosen: NDArray[np.bool_]) -> float | None:
        values = correlations[np.ix_(chosen, chosen)]
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else None

    estimate = mean_of(np.ones(scenes, bool))
    without = [mean_of(np.arange(scenes) != scene) for scene in range(scenes)]
    return estimate, jackknife_interval(estimate, [without])


def _scene_correlations(
    vectors: Floats, images: ImageGroups, samples: int, seed: int
) -> SceneCorrelations | None:
    """Compare the correlation of a scene's maps in two sessions with that of two scenes'."""
    blocks = len(images.block_scenes)
    if blocks < 2:
        return None
    means = np.stack([vectors[images.block_of == block].mean(axis=0) for block in range(blocks)])
    mean_vectors = standardised(means[:, None])
    correlations = mean_vectors @ mean_vectors.T
    apart = images.block_sessions[:, None] != images.block_sessions
    apart &= np.isfinite(correlations)

    def same_and_other(block_scenes: Integers) -> tuple[float, float] | None:
        same = block_scenes[:, None] == block_scenes
        if not (apart & same).any() or not (apart & ~same).any():
            return None
        return float(correlations[apart & same].mean()), float(correlations[apart & ~same].mean())

    found = same_and_other(images.block_scenes)
    if found is None:
        return None
    sets, generator = images.scene_sets(), np.random.default_rng(seed)
    reached, drawn = 1, 1
    for _ in range(samples):
        shuffled = same_and_other(images.shuffled(sets, generator))
        if shuffled is not None:
            drawn += 1
            reached += shuffled[0] - shuffled[1] >= found[0] - found[1] - 1e-9
    return SceneCorrelations(
        same_scene=found[0],
        other_scene=found[1],
        p_value=reached / drawn,
        smallest_p=max(1 / drawn, smallest_share(sets)),
    )
