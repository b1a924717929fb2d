"""Ledgers that say what a virtual sensor's ground truth says, as a detector would record them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from agetrace.demo.scoring import Truth, read_truth
from datastore.catalogue import Catalogue
from datastore.tables import Camera, DefectLedger, LedgerDefect


def record_true_ledger(
    catalogue: Catalogue, truth_file: Path, dark_sessions: Sequence[datetime]
) -> Truth:
    """Record every defect of a sensor, its onset between the dark sessions before and after."""
    truth = read_truth(truth_file)
    with catalogue.writing() as session:
        camera = session.scalars(select(Camera).where(Camera.serial == truth.serial)).one()
        ledger = DefectLedger(
            camera_id=camera.id,
            code_version="truth",
            parameters={},
            inputs=[],
            summary={},
            created_at=dark_sessions[-1],
        )
        session.add(ledger)
        session.flush()
        for defect in truth.active_at(dark_sessions[-1]):
            onset = defect.onset or dark_sessions[0]
            before = [at for at in dark_sessions if at < onset]
            session.add(
                LedgerDefect(
                    ledger_id=ledger.id,
                    row=defect.row,
                    column=defect.column,
                    kind=defect.kind,
                    pre_existing=not before,
                    onset_after=before[-1] if before else None,
                    onset_before=next(at for at in dark_sessions if at >= onset),
                    last_seen=dark_sessions[-1],
                    dark_rate_dn_per_s=defect.dark_rate_dn_per_s,
                    dark_rate_error_dn_per_s=None,
                    offset_dn=defect.offset_dn,
                    offset_error_dn=None,
                    amplitude_dn=defect.amplitude_dn(1.0, 100),
                    significance=10.0,
                    blinking=False,
                    annealed=False,
                    mapped_out=None,
                    flags=[],
                )
            )
    return truth
