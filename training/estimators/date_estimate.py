"""What is answered when the time of an image is asked: an interval, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PixelEvidence:
    """What one photosite said of one image.

    Attributes
    ----------
    row, column
        Of the photosite.
    onset_after, onset_before
        The trusted images between which its onset most likely lies; None for before the first or
        after the last.
    residual_dn, expected_dn, noise_dn
        What it showed, what its defect would show, and the noise expected; None for the first
        where the sample is saturated.
    log10_ratio
        Its defect present against absent; above 0 it makes the image later than its onset.
    """

    row: int
    column: int
    onset_after: np.datetime64 | None
    onset_before: np.datetime64 | None
    residual_dn: float | None
    expected_dn: float
    noise_dn: float
    log10_ratio: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, times in ISO 8601."""
        return dict(self.__dict__) | {
            "onset_after": iso(self.onset_after),
            "onset_before": iso(self.onset_before),
        }


@dataclass(frozen=True)
class Controls:
    """Photosites without known defect in the same image, judged as if they could tell.

    Attributes
    ----------
    photosites
        How many.
    noise_scale
        The image's noise over that of the trusted images; far from 1 the image was made otherwise
        (another camera, processing, heavy compression).
    share_beyond_3
        Of the controls more than three standard deviations from 0; 0.0027 for normal noise.
    """

    photosites: int
    noise_scale: float
    share_beyond_3: float


@dataclass(frozen=True)
class DateEstimate:
    """When an image was taken.

    Attributes
    ----------
    low, high
        The interval, UTC; None where the trusted images give no bound: it may be as old as the
        first of them or older, as new as the last or newer.
    confidence
        Of the interval, every time within the trusted images being as probable beforehand.
    most_likely_interval
        Between the two neighbouring onsets around the greatest likelihood, None as above.
    abstained
        Whether the image tells nothing of its time; the interval is then open on both sides.
    times, log_likelihood
        The curve: at the time of each trusted image; its greatest value is 0.
    evidence
        The photosites used, the most telling first.
    controls
        What photosites without defect show in the image.
    """

    low: np.datetime64 | None
    high: np.datetime64 | None
    confidence: float
    most_likely_interval: tuple[np.datetime64 | None, np.datetime64 | None]
    abstained: bool
    times: NDArray[np.datetime64]
    log_likelihood: Floats
    evidence: tuple[PixelEvidence, ...]
    controls: Controls

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, times in ISO 8601."""
        return {
            "low": iso(self.low),
            "high": iso(self.high),
            "confidence": self.confidence,
            "most_likely_interval": [iso(at) for at in self.most_likely_interval],
            "abstained": self.abstained,
            "times": [iso(at) for at in self.times],
            "log_likelihood": self.log_likelihood.tolist(),
            "evidence": [one.to_json() for one in self.evidence],
            "controls": dict(self.controls.__dict__),
        }


def iso(at: np.datetime64 | None) -> str | None:
    """Return a UTC time in ISO 8601, to the second."""
    return None if at is None else f"{np.datetime_as_string(at, unit='s')}Z"
