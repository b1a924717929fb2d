"""What classifiers that cannot see age told of a dataset, by its newest audit."""

from __future__ import annotations

from datastore.catalogue import Catalogue
from datastore.datasets.auditing.records import newest_audit
from datastore.datasets.loading import load
from training.evidence.findings import BaselineFinding


def recorded_baselines(catalogue: Catalogue, version: str) -> tuple[BaselineFinding, ...]:
    """Return what baselines told of the clean block; nothing where no audit is recorded.

    Parameters
    ----------
    catalogue
        Where audits are recorded.
    version
        Of the dataset.
    """
    found = newest_audit(catalogue, load(catalogue, version).unforced_version)
    if found is None:
        return ()
    return tuple(
        BaselineFinding(one.name, one.accuracy, one.p_corrected, one.smallest_p, one.verdict)
        for one in found.report.baselines
        if one.block == "clean"
    )
