"""Whether lit frames come from the body whose fingerprint is known; reads no catalogue.

Looks for the fingerprint by the peak-to-correlation energy of Goljan, Fridrich and Filler (2009).
What may be compared with what is said in `training.defects.fingerprint`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from training.defects.diagnostics import period_of
from training.defects.errors import DefectError
from training.defects.fingerprint import THREADS, Fingerprint, Mosaic, inside
from training.defects.noise_residual import Plane, lit_residual, plane_places, without_lines

Verdict = Literal["same-body", "another-body", "cannot-tell"]

SAME_PCE = 60.0
"""Peaks at least so energetic identify a body: false alarms about 1e-5 (Goljan 2009)."""
SURE_PCE = 300.0
"""A body that should give such a peak and stays below `SAME_PCE` is another one."""

_PEAK_SIDE = 11


@dataclass(frozen=True)
class FingerprintVerdict:
    """Whether one frame comes from the body of a fingerprint.

    Attributes
    ----------
    identifier
        Name of the frame.
    verdict
        ``same-body``, ``another-body`` or ``cannot-tell``.
    pce
        Signed peak-to-correlation energy where the photosites lie on each other.
    expected_pce
        What the same body would give in such a frame; None where the fingerprint, of one frame or
        of scenes, does not say.
    shift
        Rows and columns by which the frame lies off, where a peak elsewhere identifies the body.
    reason
        Why it cannot be told; None otherwise.
    """

    identifier: str
    verdict: Verdict
    pce: float
    expected_pce: float | None
    shift: tuple[int, int] | None
    reason: str | None


class FingerprintCheck:
    """Compares frames with one fingerprint, whose spectrum is kept.

    Parameters
    ----------
    fingerprint
        Of the claimed body.
    scenes_apart
        The frames to be judged show nothing of what those of the fingerprint showed. Where it was
        taken from scenes and this is not known, no verdict is given.
    same_pce, sure_pce
        Thresholds, see `SAME_PCE` and `SURE_PCE`.
    """

    def __init__(
        self,
        fingerprint: Fingerprint,
        *,
        scenes_apart: bool = False,
        same_pce: float = SAME_PCE,
        sure_pce: float = SURE_PCE,
    ) -> None:
        self._fingerprint = fingerprint
        self._scenes_apart = scenes_apart
        self._same_pce, self._sure_pce = same_pce, sure_pce
        self._period = period_of(fingerprint.cfa)
        self._places = plane_places(self._period)
        _, _, rows, columns = fingerprint.area
        response = inside(fingerprint.response, fingerprint.area)
        # planes of odd sizes differ by one; lengths of small factors transform fastest
        self._size = (
            fft.prev_fast_len(rows // self._period, real=True),
            fft.prev_fast_len(columns // self._period, real=True),
        )
        self._spectra = [
            np.conj(fft.rfft2(self._cropped(response[place]))) for place in self._places
        ]

    def judge(
        self, mosaic: Mosaic, black_dn: Sequence[float], white_level: int, identifier: str
    ) -> FingerprintVerdict:
        """Tell whether a frame comes from the fingerprint's body.

        With ``X = I W`` of the frame and K of the fingerprint, ``rho(s) = sum_i X_(i+s) K_i`` over
        all circular shifts s, planes together, and A the 11 x 11 shifts about a peak at p,

            PCE = sign(rho(p)) rho(p)^2 / mean of rho(s)^2 over s not in A

        (Goljan et al. 2009). The decision falls at p = 0, as RAW mosaics lie on each
        other. The same body is expected to give ``rho(0) = sum_i I_i^2 g_i / g V`` with the
        strength V of the fingerprint and the shares g that the filter kept (reconstructed).

        Parameters
        ----------
        mosaic
            uint16 of shape (rows, columns).
        black_dn
            Black level of each plane.
        white_level
            Digital number at which a photosite is full.
        identifier
            Name of the frame.

        Raises
        ------
        DefectError
            If the frame has another size than the fingerprint.
        """
        response = self._fingerprint.response
        if mosaic.shape != response.shape:
            raise DefectError(
                f"{identifier} has the size {mosaic.shape}, the fingerprint {response.shape}"
            )
        mosaic = inside(mosaic, self._fingerprint.area)

        def correlate(plane: int) -> tuple[NDArray[np.complex64], float]:
            residual, light, gain = lit_residual(
                mosaic[self._places[plane]], black_dn[plane], white_level
            )
            expected = float(np.vdot(light * gain, light)) * self._fingerprint.strength[plane]
            weighted = without_lines(self._cropped(residual * light))
            return fft.rfft2(weighted) * self._spectra[plane], expected

        with ThreadPoolExecutor(THREADS) as executor:
            parts = list(executor.map(correlate, range(len(self._places))))
        spectrum = parts[0][0]
        for part, _ in parts[1:]:
            spectrum += part
        correlation = fft.irfft2(spectrum, self._size)
        pce, energy = peak_to_correlation_energy(correlation, (0, 0))
        expected = float(sum(part for _, part in parts)) / self._fingerprint.gain
        # edges of scenes inflate what the halves of their frames agree on
        told = self._fingerprint.even and expected > 0 and energy > 0
        expected_pce = expected**2 / energy if told else None
        return self._verdict(correlation, pce, expected_pce, identifier)

    def _verdict(
        self, correlation: Plane, pce: float, expected_pce: float | None, identifier: str
    ) -> FingerprintVerdict:
        verdict: Verdict = "cannot-tell"
        reason: str | None = None
        row, column = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
        elsewhere, _ = peak_to_correlation_energy(correlation, (int(row), int(column)))
        shift = None
        if not (self._fingerprint.even or self._scenes_apart):
            reason = "the fingerprint is of scenes, which these frames may show: use flat fields"
        elif pce >= self._same_pce:
            verdict = "same-body"
        elif elsewhere >= self._same_pce:
            shift = (
                self._period * _signed(int(row), correlation.shape[0]),
                self._period * _signed(int(column), correlation.shape[1]),
            )
            reason = f"it agrees when shifted by {shift}: were its margins cropped otherwise?"
        elif expected_pce is None:
            reason = "a fingerprint of one frame or of scenes does not say what to expect"
        elif expected_pce >= self._sure_pce:
            verdict = "another-body"
        else:
            reason = "the same body might give no more: too little light, texture, or few frames"
        return FingerprintVerdict(identifier, verdict, pce, expected_pce, shift, reason)

    def _cropped(self, plane: Plane) -> Plane:
        rows, columns = self._size
        return plane[:rows, :columns]


def peak_to_correlation_energy(correlation: Plane, peak: tuple[int, int]) -> tuple[float, float]:
    """Return the signed energy of a peak over that of the other shifts, and the latter.

    Parameters
    ----------
    correlation
        Circular cross-correlation, shape (rows, columns).
    peak
        Its shift; the 11 x 11 shifts about it do not count as others.
    """
    rows, columns = correlation.shape
    reach = _PEAK_SIDE // 2
    near_rows = np.unique(np.arange(peak[0] - reach, peak[0] + reach + 1) % rows)
    near_columns = np.unique(np.arange(peak[1] - reach, peak[1] + reach + 1) % columns)
    near = correlation[np.ix_(near_rows, near_columns)].astype(float)
    others = correlation.size - near.size
    flat = correlation.ravel()
    energy = (float(np.vdot(flat, flat)) - float(np.sum(near**2))) / max(others, 1)
    height = float(correlation[peak])
    if energy <= 0:
        return 0.0, 0.0
    return float(np.sign(height)) * height**2 / energy, energy


def _signed(place: int, size: int) -> int:
    return place - size if place > size // 2 else place
