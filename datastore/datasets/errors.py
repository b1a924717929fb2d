"""Errors of datasets: bad specifications, constraints that cannot hold, leaks, bad manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from datastore.errors import DatastoreError, RequestError


class SpecError(RequestError):
    """A dataset specification is wrong; the message names the field."""


class ConstraintError(RequestError):
    """The catalogue holds no selection that satisfies a constraint; the message names both."""

    def __init__(self, constraint: str, message: str) -> None:
        super().__init__(f"constraint {constraint}: {message}")
        self.constraint = constraint


class LeakError(RequestError):
    """Something that must be unseen (a scene, a session, a file) also occurs in training."""


class AuditFailedError(RequestError):
    """The audit of a dataset failed and nobody forced it; the message names the rules.

    `rules` are their names.
    """

    def __init__(self, name: str, rules: Sequence[tuple[str, str]]) -> None:
        told = "\n".join(f"  {rule}: {sentence}" for rule, sentence in rules)
        super().__init__(
            f"the dataset {name} fails its audit and was not frozen:\n{told}\n"
            "mend the selection, or freeze it all the same with --force REASON, which the dataset"
            " and every report on it will say"
        )
        self.rules = tuple(rule for rule, _ in rules)


class UnknownDatasetError(RequestError):
    """No dataset, or more than one, answers to the given version or name."""


class ManifestError(DatastoreError):
    """The bytes are not the manifest that they claim to be."""

    exit_code: ClassVar[int] = 1
