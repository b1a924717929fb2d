"""What a session's dark fields say of the camera that took them; pure.

A camera that hides its hot pixels, subtracts a dark frame of its own or cuts black off at zero
takes defects away before anybody can measure them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.defects.diagnostics import FrameDiagnostics
from training.defects.frames import DarkFrame

Verdict = Literal["none", "suspected", "unknown"]

_SUPPRESSION_SIGMAS = 5.0
_CLIPPED_SHARE = 1e-3


@dataclass(frozen=True)
class Judgement:
    """Whether a session shows one kind of interference.

    Attributes
    ----------
    name
        ``suppression``, ``noise-reduction`` or ``black-clipping``.
    verdict
        ``none``, ``suspected``, or ``unknown`` where the frames cannot tell.
    numbers
        What it rests on.
    sentence
        In words, with what to do.
    """

    name: str
    verdict: Verdict
    numbers: dict[str, float]
    sentence: str


def judge_session(
    frames: Sequence[DarkFrame], diagnostics: Sequence[FrameDiagnostics]
) -> tuple[Judgement, ...]:
    """Judge a session's dark frames.

    Parameters
    ----------
    frames
        The frames.
    diagnostics
        What each is like, in the same order.
    """
    return (
        _suppression(frames, diagnostics),
        _noise_reduction(frames, diagnostics),
        _black_clipping(diagnostics),
    )


def _suppression(frames: Sequence[DarkFrame], diagnostics: Sequence[FrameDiagnostics]) -> Judgement:
    """Judge each exposure by itself: cameras suppress from some exposure on."""
    by_exposure: dict[float, list[float]] = {}
    for frame, one in zip(frames, diagnostics, strict=True):
        if one.suppression_sigmas is not None:
            by_exposure.setdefault(frame.exposure_s, []).append(one.suppression_sigmas)
    if not by_exposure:
        return Judgement(
            "suppression", "unknown", {},
            "the noise is below one digital number: too small to show suppression",
        )  # fmt: skip
    medians = {exposure_s: float(np.median(of)) for exposure_s, of in by_exposure.items()}
    numbers = {"sigmas": max(medians.values())}
    suspected = sorted(one for one, sigmas in medians.items() if sigmas >= _SUPPRESSION_SIGMAS)
    if suspected:
        return Judgement(
            "suppression", "suspected", {**numbers, "from_exposure_s": suspected[0]},
            f"the camera seems to replace hot pixels from {suspected[0]:g} s on: use shorter"
            " exposures or another setting",
        )  # fmt: skip
    return Judgement(
        "suppression", "none", numbers, "no spike where photosites equal their neighbours"
    )


def _noise_reduction(
    frames: Sequence[DarkFrame], diagnostics: Sequence[FrameDiagnostics]
) -> Judgement:
    numbers = {}
    noise: dict[tuple[int | None, float], list[float]] = {}
    for frame, one in zip(frames, diagnostics, strict=True):
        place = frame.iso, frame.exposure_s
        noise.setdefault(place, []).append(float(np.mean(one.noise_dn)))
    highest = max(noise, key=lambda place: (place[1], place[0] or 0))
    shortest = min((one for one in noise if one[0] == highest[0]), key=lambda place: place[1])
    if shortest != highest:
        numbers["noise_ratio"] = float(np.mean(noise[highest]) / np.mean(noise[shortest]))
    told = [frame.long_exposure_noise_reduction for frame in frames]
    if any(told):
        return Judgement(
            "noise-reduction", "suspected", {**numbers, "frames": float(sum(map(bool, told)))},
            "the camera subtracted a dark frame of its own: switch its noise reduction off",
        )  # fmt: skip
    if None in told:
        return Judgement(
            "noise-reduction", "unknown", numbers,
            "the files do not say whether the camera subtracted a dark frame of its own",
        )  # fmt: skip
    return Judgement("noise-reduction", "none", numbers, "noise reduction was off")


def _black_clipping(diagnostics: Sequence[FrameDiagnostics]) -> Judgement:
    share = max(one.zero_share for one in diagnostics)
    numbers = {"zero_share": share}
    if share >= _CLIPPED_SHARE:
        return Judgement(
            "black-clipping", "suspected", numbers,
            f"{share:.1%} of the photosites read zero: black is cut off, and weak defects with it",
        )  # fmt: skip
    return Judgement("black-clipping", "none", numbers, "black lies above zero")
