"""What the photosites of questioned images say, one image at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.estimators.date_estimate import Controls, PixelEvidence
from training.estimators.dating import AgeingPixels, pixel_answers
from training.estimators.images import Images
from training.estimators.noise_model import NoiseModel, image_scales
from training.estimators.residuals import residuals_at
from training.estimators.timeline import Timeline

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_BEYOND = 3.0


@dataclass(frozen=True)
class ImageAnswer:
    """What one image's photosites show and say.

    Attributes
    ----------
    residuals, light, noise
        W, I and the expected standard deviation of W, shape (pixels,); NaN in the first two where
        saturated.
    factor
        Exposure factor of the image.
    curve
        Log-likelihood of its having been taken when each trusted image was, shape (images,).
    log_ratio
        Each defect present against absent, shape (pixels,).
    controls
        What photosites without known defect show.
    """

    residuals: NDArray[np.float32]
    light: NDArray[np.float32]
    factor: float
    noise: Floats
    curve: Floats
    log_ratio: Floats
    controls: Controls


def image_answers(
    images: Images,
    pixels: AgeingPixels,
    scene_scales: Mapping[str, Floats],
    noise_model: NoiseModel,
    controls: Places,
) -> Iterator[ImageAnswer]:
    """Give for each image its samples, what they say, and what its controls show.

    Parameters
    ----------
    images
        Questioned ones.
    pixels
        The photosites that went bad.
    scene_scales
        By how much each of them scatters more in a scene that the trusted images show, by its
        name, shape (pixels,).
    noise_model, controls
        Noise of photosites without defect, and (row, column) of some.
    """
    count = len(pixels)
    # both from one look at each frame: decoding it costs more than all the rest
    together = residuals_at(images, np.concatenate([pixels.places, controls]))
    (residuals, light), (residuals_of_controls, light_of_controls) = (
        (together[0][:, :count], together[1][:, :count]),
        (together[0][:, count:], together[1][:, count:]),
    )
    scales = image_scales(residuals_of_controls, light_of_controls, noise_model)
    for number, scale in enumerate(scales.tolist()):
        factor = float(images.exposure_factors[number])
        noise = noise_model.deviation(np.nan_to_num(light[number])) * scale
        noise = noise * scene_scales.get(str(images.scenes[number]), 1.0)
        said = pixel_answers(pixels, residuals[number], light[number], factor, noise)
        relative = residuals_of_controls[number] / (
            noise_model.deviation(light_of_controls[number]) * scale
        )
        usable = relative[~np.isnan(relative)]
        beyond = float((np.abs(usable) > _BEYOND).mean()) if len(usable) else 0.0
        yield ImageAnswer(
            residuals[number],
            light[number],
            factor,
            noise,
            said.log_likelihood.sum(axis=1),
            said.log_ratio,
            Controls(len(usable), scale, beyond),
        )


def evidence_of(
    answer: ImageAnswer, pixels: AgeingPixels, onsets: NDArray[np.int64], timeline: Timeline
) -> tuple[PixelEvidence, ...]:
    """Return what each photosite said, the most telling first."""
    beta = pixels.with_defect.mean[onsets, np.arange(len(pixels))]
    light = np.nan_to_num(answer.light)
    expected = beta[:, 0] * light + beta[:, 1] * answer.factor + beta[:, 2]
    found = []
    for place in np.argsort(-np.abs(answer.log_ratio), kind="stable").tolist():
        after, before = timeline.around(int(onsets[place]))
        found.append(
            PixelEvidence(
                int(pixels.places[place, 0]),
                int(pixels.places[place, 1]),
                after,
                before,
                None if np.isnan(answer.residuals[place]) else float(answer.residuals[place]),
                float(expected[place]),
                float(answer.noise[place]),
                float(answer.log_ratio[place] / np.log(10)),
            )
        )
    return tuple(found)


def between_onsets(
    timeline: Timeline, onsets: NDArray[np.int64], image: int
) -> tuple[np.datetime64 | None, np.datetime64 | None]:
    """Return the neighbouring onsets around the time of an image, each at its outer end."""
    earlier, later = onsets[onsets <= image], onsets[onsets > image]
    low = timeline.around(int(earlier.max()))[0] if len(earlier) else None
    high = timeline.around(int(later.min()))[1] if len(later) else None
    return low, high
