"""The question of a power plan: sensor, settings, patches, sessions; reads YAML, reckons nothing.

Every default is an assumption that the answer repeats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from datastore.datasets.patch_spec import PatchSpec
from training.power.errors import PlanError
from training.power.growth import SensorType
from training.power.session_test import MOST_SESSIONS

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SensorSpec(_Part):
    """The sensor.

    Attributes
    ----------
    type
        CMOS or CCD.
    pixel_pitch_um
        Distance of neighbouring photosites, micrometres.
    width, height
        Photosites that see light.
    gain_e_per_dn_at_iso100, read_noise_e, full_well_e, black_level_dn, white_level_dn
        As a manufacturer's data sheet or an EMVA 1288 measurement has them; the defaults are a
        14-bit sensor of middling size (ours).
    dark_current_e_per_s, reference_temperature_c, dark_doubling_c
        Dark current of sound photosites, and what temperature does to every dark current.
    """

    type: SensorType = "CMOS"
    pixel_pitch_um: Positive
    width: Annotated[int, Field(ge=8, le=100_000)]
    height: Annotated[int, Field(ge=8, le=100_000)]
    gain_e_per_dn_at_iso100: Positive = 3.0
    read_noise_e: NotNegative = 4.0
    full_well_e: Positive = 50_000.0
    black_level_dn: NotNegative = 512.0
    white_level_dn: Positive = 16_383.0
    dark_current_e_per_s: NotNegative = 1.0
    reference_temperature_c: float = 20.0
    dark_doubling_c: Positive = 8.0


class GrowthSpec(_Part):
    """A rate of new defects that is known better than the prior.

    Attributes
    ----------
    per_year, low_per_year, high_per_year
        New defects a year on the whole sensor, and the interval.
    """

    per_year: NotNegative
    low_per_year: NotNegative
    high_per_year: NotNegative


class StrengthSpec(_Part):
    """How strong defects are: log-normal dark rates, and offsets of a share (reconstructed).

    Attributes
    ----------
    dark_rate_median_e_per_s, dark_rate_log_sd
        D at the reference temperature.
    share_partially_stuck
        Defects with an offset; above 0.4 (published, DFT 2011).
    offset_median_e, offset_log_sd
        c of those.
    uncertainty
        Both medians may be so many times weaker or stronger (ours).
    """

    dark_rate_median_e_per_s: Positive = 60.0
    dark_rate_log_sd: NotNegative = 1.0
    share_partially_stuck: Share = 0.4
    offset_median_e: Positive = 60.0
    offset_log_sd: NotNegative = 0.8
    uncertainty: Annotated[float, Field(ge=1, le=1e6)] = 4.0


class SceneSpec(_Part):
    """How scene frames are taken.

    Attributes
    ----------
    exposure_s, iso, temperature_c
        Settings; an unknown temperature leaves tau without its factor.
    brightness
        Mean of the scene as a share of the range from black to white.
    frames_averaged
        Frames of a scene that are averaged before the network sees them.
    content_noise_dn
        What content adds to the noise, which averaging does not lessen; 0 is the best case.
    """

    exposure_s: Positive = 1 / 60
    iso: Positive = 100.0
    temperature_c: Annotated[float, Field(ge=-100, le=120)] | None = None
    brightness: Share = 0.18
    frames_averaged: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    content_noise_dn: NotNegative = 0.0


class SessionsSpec(_Part):
    """When frames are taken.

    Attributes
    ----------
    gap_days
        From the middle of one class to the middle of the other.
    cadence_days
        From one session to the next.
    test, other
        Sessions a class in the test block, and in train and validation together.
    frames
        Answers of one session in the test block, each of a frame or an average of frames.
    offset_sd
        Deviation of what a session does to all its frames, in deviations of a frame's noise.
    """

    gap_days: Positive
    cadence_days: Positive = 7.0
    test: Annotated[int, Field(ge=1, le=MOST_SESSIONS)] = 4
    other: Annotated[int, Field(ge=0, le=1000)] = 2
    frames: Annotated[int, Field(ge=1, le=1000)] = 20
    offset_sd: Annotated[float, Field(ge=0, le=10)] = 0.0

    @property
    def class_days(self) -> float:
        """Days from the first session of a class to its last."""
        return (self.test + self.other - 1) * self.cadence_days


class PowerSpec(_Part):
    """A whole plan.

    Attributes
    ----------
    sensor, strength, scene, sessions
        What they say.
    growth
        A known rate; the prior at `counted_at_iso` where None.
    counted_at_iso
        ISO setting of the prior; the scene's where None, which is the more hopeful reading, as the
        strengths are not lowered with the weaker defects that count at a higher ISO setting.
    patches
        As in a dataset's specification.
    effect
        Share of frames recognised, where that is given rather than the sensor's defects.
    alpha, wanted_power
        Level of the test, and how often it should succeed.
    wanted_d_prime
        From which d' on a defect counts as detectable.
    """

    sensor: SensorSpec
    sessions: SessionsSpec
    scene: SceneSpec = SceneSpec()
    strength: StrengthSpec = StrengthSpec()
    growth: GrowthSpec | None = None
    counted_at_iso: Positive | None = None
    patches: PatchSpec = PatchSpec(kind="five-crop")
    effect: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    alpha: Annotated[float, Field(ge=0.001, lt=1)] = 0.05
    wanted_power: Annotated[float, Field(gt=0, lt=1)] = 0.8
    wanted_d_prime: Positive = 3.0


def read_document(text: str, source: str = "plan") -> dict[str, Any]:
    """Read a plan's YAML as plain values, so that options can be laid over it.

    Raises
    ------
    PlanError
        If it is no YAML mapping.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PlanError(f"{source}: not readable as YAML: {error}") from None
    if not isinstance(document, dict):
        raise PlanError(f"{source}: a mapping with `sensor` and `sessions` is needed")
    return document


def make_power_spec(document: Mapping[str, Any], source: str = "plan") -> PowerSpec:
    """Return a plan's question from plain values.

    Raises
    ------
    PlanError
        If a field is unknown, missing or wrong, or fields contradict each other.
    """
    try:
        spec = PowerSpec.model_validate(dict(document))
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        ]
        raise PlanError(f"{source}: {'; '.join(problems)}") from None
    if spec.sensor.black_level_dn >= spec.sensor.white_level_dn:
        raise PlanError(f"{source}: sensor: black_level_dn must be below white_level_dn")
    if spec.patches.size > min(spec.sensor.width, spec.sensor.height):
        raise PlanError(f"{source}: patches.size: {spec.patches.size} does not fit in the sensor")
    span = spec.sessions.class_days
    if span >= spec.sessions.gap_days:
        raise PlanError(
            f"{source}: sessions.gap_days: {spec.sessions.gap_days:g} days from middle to middle "
            f"leave no room between classes that last {span:g} days each; lengthen the gap or "
            "shorten cadence_days"
        )
    return spec
