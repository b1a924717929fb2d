"""A network that learned planted defects passes the interventions, one that learned a cue fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.trace_frames import (
    AMPLITUDE_DN,
    COLUMNS,
    ROWS,
    defects,
    frame_set,
    trace_spec,
)
from training.evidence.changed_frames import changed_frames
from training.evidence.cues import drawn_cue, opposed_classes, with_cue
from training.evidence.distraction import Distraction, distraction_of
from training.evidence.effects import effect_of, flips_of
from training.experiments.evaluate import predict
from training.experiments.frame_set import FrameSet
from training.experiments.loop import train_network
from training.experiments.predictions import Predictions
from training.interventions import (
    Exposure,
    Transplant,
    mask_control_variation,
    mask_variation,
    transplant_variation,
)
from training.patches.inputs import CachedFrame, Variation

NEW_DEFECTS = 60
AREA = (0, 0, ROWS, COLUMNS)
Ask = Callable[[FrameSet], list[Predictions]]


def _network(frames: FrameSet) -> Ask:
    spec = trace_spec()
    network = train_network(spec, frames, 2, 1).network
    return lambda asked: [predict(spec, network, asked)]


def _distraction(ask: Ask, frames: FrameSet) -> Distraction:
    cue = drawn_cue((ROWS, COLUMNS), 2, seed=3, cells=3)
    cues = opposed_classes(frames.labels, 2)
    strengths = (0.0, 2.0, 8.0, 16.0)
    return distraction_of({one: ask(with_cue(frames, cue, one, cues)) for one in strengths}, cues)


@pytest.mark.prove
def test_interventions_on_trained_networks(
    record_property: Callable[[str, object], None],
) -> None:
    train = frame_set(range(4), range(6), NEW_DEFECTS)
    test = frame_set(range(10, 14), range(20, 32), NEW_DEFECTS)
    known = np.stack(np.unravel_index(defects(NEW_DEFECTS), (ROWS, COLUMNS)), axis=-1)
    new = known[40:]
    traced = _network(train)

    def with_change(change: Variation) -> list[Predictions]:
        return traced(changed_frames(test, lambda _number, _frame: change))

    masked = effect_of(
        "mask",
        with_change(mask_variation(new)),
        with_change(mask_control_variation(new, known, AREA, 16383, seed=1)),
    )
    record_property("accuracy masked", masked.accuracy.intervention)
    record_property("accuracy under the control", masked.accuracy.control)
    record_property("p of the mask", masked.accuracy.p_value)
    assert masked.accuracy.control >= 0.95
    assert masked.accuracy.intervention <= 0.55
    assert masked.accuracy.interval.high < -0.3
    # frames without the defects cannot change: six of twelve sessions can lean
    assert masked.accuracy.p_value <= 0.05

    young = test.subset(np.flatnonzero(test.labels == 0))
    rates = np.full(NEW_DEFECTS, AMPLITUDE_DN)
    real = Transplant(new, rates, np.zeros(NEW_DEFECTS), np.zeros(NEW_DEFECTS, bool))

    def transplanted(one: Transplant) -> list[Predictions]:
        def change(_number: int, frame: CachedFrame) -> Variation:
            return transplant_variation(
                one,
                Exposure(1.0, 100),
                white_level=frame.white_level,
                frame_key=frame.key,
                dn_per_electron=1.0,
            )

        return traced(changed_frames(young, change))

    flips = flips_of(
        "transplant",
        traced(young),
        transplanted(real),
        transplanted(real.elsewhere(known, AREA, seed=2)),
        target=1,
    )
    record_property("flips under transplant", flips.rate)
    record_property("flips under defects elsewhere", flips.control_rate)
    assert flips.rate is not None and flips.rate >= 0.9

    cue = drawn_cue((ROWS, COLUMNS), 2, seed=3, cells=3)
    cued = _network(with_cue(train, cue, 16.0, train.labels))
    left, taken = _distraction(traced, test), _distraction(cued, test)
    record_property("distraction of the network with a trace", left.statement)
    record_property("distraction of the network with a cue", taken.statement)
    record_property("followed at 16 standard deviations, trace", left.points[-1].followed)
    record_property("followed at 16 standard deviations, cue", taken.points[-1].followed)
    # the cue that was offered in training is followed at that strength, by the one that had it
    assert left.points[0].right >= 0.95 and left.outcome == "never"
    assert taken.outcome != "never"
    assert taken.points[-1].followed > 0.5 > left.points[-1].followed
