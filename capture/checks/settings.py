"""Settings side by side: what was asked for, what the camera showed, what its file says."""

from __future__ import annotations

from typing import Final

from capture.cameras.protocol import CameraSettings, ReadBack
from capture.checks.results import CheckResult, findings_result
from datastore.frames import Finding
from datastore.metadata import FileMetadata

_EXPOSURE_RATIO: Final = 2 ** (1 / 6)
"""Nominal and written exposure times differ by less than half a third-stop."""

_F_NUMBER_RATIO: Final = 2 ** (1 / 12)


def exposure_product(exposure_s: float, iso: int, f_number: float | None) -> float:
    """Return exposure time in seconds x ISO / f-number squared: how bright a frame will be.

    Without the last where the f-number is unknown.
    """
    return exposure_s * iso / (f_number or 1.0) ** 2


def settings_result(
    requested: CameraSettings, read_back: ReadBack | None, metadata: FileMetadata
) -> CheckResult:
    """Return what `check_settings` finds as one result, named ``settings``."""
    return findings_result(
        "settings",
        check_settings(requested, read_back, metadata),
        "The camera and the file show the settings that were asked for, or say nothing of them.",
    )


def check_settings(
    requested: CameraSettings, read_back: ReadBack | None, metadata: FileMetadata
) -> list[Finding]:
    """Compare what was asked for with what the camera showed and what its file says."""
    found = []
    shown: list[tuple[str, float | None, int | None, float | None]] = [
        ("exif", metadata.exposure_s, metadata.iso, metadata.f_number)
    ]
    if read_back is not None:
        shown.append(("read-back", read_back.exposure_s, read_back.iso, read_back.f_number))
    for source, exposure_s, iso, f_number in shown:
        wanted_s = float(requested.exposure)
        # drivers that show a tenth of a millisecond round 1/8000 s to 0.0001 s
        is_rounded = exposure_s is not None and abs(exposure_s - wanted_s) <= 5e-5
        if (
            exposure_s is not None
            and not is_rounded
            and _ratio(exposure_s, wanted_s) > (_EXPOSURE_RATIO)
        ):
            found.append(_differs(source, "exposure", "s", wanted_s, exposure_s))
        if iso is not None and iso != requested.iso:
            found.append(_differs(source, "iso", "", requested.iso, iso))
        if (
            requested.f_number is not None
            and f_number is not None
            and _ratio(f_number, requested.f_number) > _F_NUMBER_RATIO
        ):
            found.append(_differs(source, "f_number", "", requested.f_number, f_number))
    if True in (
        metadata.long_exposure_noise_reduction,
        read_back.long_exposure_noise_reduction if read_back is not None else None,
    ):
        found.append(
            Finding(
                "noise-reduction-on",
                {},
                "Long-exposure noise reduction was on: the camera removed defects by itself.",
            )
        )
    return found


def _ratio(first: float, second: float) -> float:
    if min(first, second) <= 0:
        return float("inf")
    return max(first, second) / min(first, second)


def _differs(source: str, field: str, unit: str, wanted: float, found: float) -> Finding:
    said = "The camera showed" if source == "read-back" else "The file says"
    return Finding(
        f"{source}-{field}",
        {"requested": wanted, "found": found},
        f"{said} {field} {found:g} {unit}".rstrip() + f", {wanted:g} was asked for.",
    )
