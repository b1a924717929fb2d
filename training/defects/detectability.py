"""Which share of new defects the newest dark sessions could show, measured on older defects; pure.

A weak defect needs several sessions to be noticed, so those that arose shortly before the newest
session are missing from a ledger for now, and growth seems to slow down. Defects that arose
earlier are known; how many of them the newest sessions alone would have shown is counted by
building the ledger of these sessions alone (reconstructed).
"""

from __future__ import annotations

from collections.abc import Sequence

from training.defects.ledger import DarkSession, LedgerEntry, build
from training.defects.parameters import LedgerParameters


def detectable_shares(
    sessions: Sequence[DarkSession],
    entries: Sequence[LedgerEntry],
    parameters: LedgerParameters | None = None,
    newest_gaps: int = 3,
) -> tuple[float, ...]:
    """Return the detectable share of each gap, as :class:`training.defects.watch.Watch` takes it.

    Parameters
    ----------
    sessions
        Those of the ledger, in the order of time.
    entries
        The ledger. Defects that blink, or that the newest session lacks, are not followed.
    parameters
        Those of the ledger; the defaults where None.
    newest_gaps
        How many gaps are measured, each with a ledger of its own; the share of earlier ones is 1.

    Returns
    -------
    tuple of float
        One per gap; 1 where no older defect is known that could tell.
    """
    shares = [1.0] * (len(sessions) - 1)
    for gap in range(max(0, len(shares) - newest_gaps), len(shares)):
        known = {
            (one.row, one.column)
            for one in entries
            if one.onset_before <= sessions[gap].at
            and one.last_seen >= sessions[-1].at
            and not one.blinking
        }
        if not known:
            continue
        found = {(one.row, one.column) for one in build(sessions[gap + 1 :], parameters).entries}
        # a share of none would make the gap as good as unwatched
        shares[gap] = max(len(known & found), 1) / len(known)
    return tuple(shares)
