"""Audits of manifests with the catalogue's facts, recorded for whoever freezes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.audit import DEFINITION, audit_items
from datastore.datasets.auditing.baselines import PIXEL_BASELINES
from datastore.datasets.auditing.collecting import collect_facts
from datastore.datasets.auditing.facts import BaselineFeatures
from datastore.datasets.auditing.records import StoredAudit, newest_audit, record_audit
from datastore.datasets.auditing.report import AuditParameters
from datastore.datasets.manifest import Manifest

PixelFeatures = Callable[[Manifest], Sequence[BaselineFeatures]]
"""Gives what pixel baselines see of a manifest's items; another package decodes the frames."""


def audit_manifest(
    catalogue: Catalogue,
    manifest: Manifest,
    at: datetime,
    *,
    parameters: AuditParameters | None = None,
    pixels: PixelFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StoredAudit:
    """Audit a manifest, frozen or not, and record what was found.

    Parameters
    ----------
    catalogue
        The catalogue that has its frames.
    manifest
        What to audit; a forced one is audited as if it were not.
    at
        Civil time of the record.
    parameters
        Levels, thresholds and seed.
    pixels
        Gives what the pixel baselines see; without it their rules are not run.
    progress
        Called with the steps done and their total.
    """
    facts = collect_facts(catalogue, manifest)
    features = () if pixels is None else pixels(manifest)
    report = audit_items(facts, parameters, features, progress)
    record_audit(catalogue, report, at)
    found = newest_audit(catalogue, manifest.unforced_version)
    assert found is not None
    return found


def audit_once(
    catalogue: Catalogue,
    manifest: Manifest,
    at: datetime,
    *,
    parameters: AuditParameters | None = None,
    pixels: PixelFeatures | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StoredAudit:
    """Return the newest audit of a manifest where it says all that is asked for, else a new one.

    Parameters as for `audit_manifest`.
    """
    known = newest_audit(catalogue, manifest.unforced_version)
    if known is not None:
        is_same = known.code_version == DEFINITION and known.report.parameters == (
            parameters or AuditParameters()
        )
        ran = {one.name for one in known.report.baselines}
        if is_same and (pixels is None or ran.issuperset(PIXEL_BASELINES)):
            return known
    return audit_manifest(
        catalogue, manifest, at, parameters=parameters, pixels=pixels, progress=progress
    )
