"""Parameters of the measurement and of the ledger; their values are recorded with the results."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ExtractionParameters:
    """How defects are measured from one session's dark fields.

    Attributes
    ----------
    false_discovery_rate
        Accepted share of false ones among the photosites reported by a session.
    transient_sigmas
        A repeat that exceeds the mean of the others by so many standard deviations is a transient
        (a cosmic ray) and is left out.
    reference_temperature_c, doubling_temperature_c
        Dark current is stated at the first and doubles every so many kelvins; not used where the
        temperature of a frame is unknown. Eight is what EMVA 1288's simulator uses.
    offset_sigmas
        An offset this significant, above the spread of sound photosites, makes a defect
        partially stuck.
    fit_probability
        A fit less probable than this is marked ``poor-fit``.
    fit_tolerance
        Share of the signal that a cell may be off the line before its fit counts as poor.
    blinking_probability
        A scatter of the repeats less probable than this is blinking.
    saturation_share
        Share of the white level from which a photosite counts as saturated.
    largest_share
        Share of significant photosites above which the frames cannot be dark fields.
    """

    false_discovery_rate: float = 0.005
    transient_sigmas: float = 4.5
    reference_temperature_c: float = 20.0
    doubling_temperature_c: float = 8.0
    offset_sigmas: float = 5.0
    fit_probability: float = 1e-3
    fit_tolerance: float = 0.02
    blinking_probability: float = 1e-6
    saturation_share: float = 0.98
    largest_share: float = 0.05


@dataclass(frozen=True)
class FlatParameters:
    """How a session's flat fields are measured.

    Attributes
    ----------
    false_discovery_rate
        Accepted share of false ones among weak photosites, and among dust spots.
    largest_response
        A photosite of more than this response is sound however significant.
    least_depth
        Dust that takes a smaller share of the light is left out however significant.
    """

    false_discovery_rate: float = 0.005
    largest_response: float = 0.9
    least_depth: float = 0.005


@dataclass(frozen=True)
class LedgerParameters:
    """How defects are followed over the sessions of a camera.

    Attributes
    ----------
    false_discovery_rate
        Accepted share of false ones among the defects of the ledger.
    single_session_sigmas
        Significance that a defect needs which only the newest session shows.
    other_sessions_sigmas
        Significance that a defect keeps when its strongest session is left out.
    amplitude_scatter
        Relative scatter of a defect's amplitude between sessions, from temperatures.
    presence_sigmas
        Significance from which a session by itself shows a defect.
    detection_sigmas
        A session could have shown a defect whose expected significance is at least this.
    credibility
        Probability that an onset lies within its interval.
    pre_existing_prior
        Prior probability that a defect was there before the first session.
    """

    false_discovery_rate: float = 0.005
    single_session_sigmas: float = 6.0
    other_sessions_sigmas: float = 3.0
    amplitude_scatter: float = 0.15
    presence_sigmas: float = 4.0
    detection_sigmas: float = 8.0
    credibility: float = 0.995
    pre_existing_prior: float = 0.5
