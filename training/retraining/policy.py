"""What a lab wants to happen when a timeslot closes, as it is written in YAML; decides nothing.

A policy holds the specification of a dataset and of an experiment as templates. Its classes follow
the calendar: fixed timeslots, the newest closed ones, or all closed ones since some timeslot.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from datastore.datasets.class_specs import ClassSpec
from datastore.datasets.spec import DatasetSpec
from datastore.descriptions import Name, describe_problems
from training.experiments.spec import ExperimentSpec
from training.retraining.errors import PolicyError

_OF_THE_POLICY = {
    "dataset": ("name", "scheme", "classes", "age_bins", "parent", "folds", "fold"),
    "experiment": ("name", "dataset", "folds"),
}
"""Fields of the templates that the policy gives itself."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RollingClass(_Strict):
    """A class of the datasets; exactly one of the last three fields says its timeslots.

    Attributes
    ----------
    name
        Its label, the same in every retraining.
    timeslots
        Fixed ones, as a dataset's specification has them.
    last
        The newest so many closed timeslots.
    since
        All closed timeslots from this ordinal on.
    """

    name: Name
    timeslots: str | tuple[int, ...] | None = None
    last: Annotated[int, Field(ge=1)] | None = None
    since: int | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(one is not None for one in (self.timeslots, self.last, self.since)) != 1:
            raise ValueError("give one of timeslots, last and since")
        return self

    def ordinals(self, closed: tuple[int, ...]) -> Any:
        """Return the timeslots of this class, given the closed ones in their order."""
        if self.timeslots is not None:
            return self.timeslots
        if self.last is not None:
            return closed[-self.last :]
        return tuple(one for one in closed if self.since is not None and one >= self.since)


class Promotion(_Strict):
    """When a new model replaces the one in service; both are judged on the same clean frames.

    Attributes
    ----------
    rule
        ``better``: the 95 % interval of the difference in image-level accuracy lies above 0.
        ``not-worse``: it lies above ``-margin``, which lets newer data in unless they do harm.
    margin
        Of ``not-worse``, as a share of images.
    above_chance
        Whether a model also has to be above chance by the permutation of whole sessions.
    """

    rule: Literal["better", "not-worse"] = "not-worse"
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.05
    above_chance: bool = True


class RetrainingPolicy(_Strict):
    """A line of models that is kept up to date.

    Attributes
    ----------
    name
        Of the policy, and of its line of models.
    scheme
        The timeslot scheme whose closed timeslots call for a retraining.
    classes
        The labels.
    dataset
        A dataset's specification without name, scheme, classes and parent.
    experiment
        An experiment's specification without name and dataset.
    promotion
        When a new model replaces the one in service.
    """

    name: Name
    scheme: Annotated[str, Field(min_length=1)]
    classes: Annotated[tuple[RollingClass, ...], Field(min_length=2)]
    dataset: dict[str, Any]
    experiment: dict[str, Any]
    promotion: Promotion = Promotion()

    @model_validator(mode="after")
    def _templates_are_sound(self) -> Self:
        for template, fields in _OF_THE_POLICY.items():
            given = getattr(self, template)
            for name in fields:
                if name in given:
                    raise ValueError(f"{template}.{name}: the policy gives it; leave it out")
        try:
            self.experiment_spec("0" * 64, 1)
        except ValidationError as error:
            raise ValueError(f"experiment: {describe_problems(error)}") from None
        # timeslots that are far apart, so that only what is wrong for good is told
        placeholders = [
            {"name": one.name, "timeslots": (number,)} for number, one in enumerate(self.classes)
        ]
        try:
            self._dataset_spec(placeholders, 1, None)
        except ValidationError as error:
            raise ValueError(f"dataset: {describe_problems(error)}") from None
        return self

    def dataset_spec(self, closed: tuple[int, ...], parent: str | None) -> DatasetSpec:
        """Return the dataset that is due when the last of some timeslots has closed.

        Parameters
        ----------
        closed
            Ordinals of the closed timeslots, in their order.
        parent
            Version of the dataset that it continues.

        Raises
        ------
        PolicyError
            When the classes cannot be told apart yet.
        """
        try:
            classes = [
                ClassSpec(name=one.name, timeslots=one.ordinals(closed)) for one in self.classes
            ]
            return self._dataset_spec([one.model_dump() for one in classes], closed[-1], parent)
        except ValidationError as error:
            raise PolicyError(
                f"policy {self.name}: timeslot {closed[-1]} is too early for its classes:"
                f" {describe_problems(error)}"
            ) from None

    def _dataset_spec(
        self, classes: list[dict[str, Any]], ordinal: int, parent: str | None
    ) -> DatasetSpec:
        return DatasetSpec.model_validate(
            {
                **self.dataset,
                "name": f"{self.name}-slot-{ordinal}",
                "scheme": self.scheme,
                "classes": classes,
                "parent": parent,
            }
        )

    def experiment_spec(self, dataset: str, ordinal: int) -> ExperimentSpec:
        """Return the experiment on a dataset's version."""
        return ExperimentSpec.model_validate(
            {**self.experiment, "name": f"{self.name}-slot-{ordinal}", "dataset": dataset}
        )


def read_policy(text: str, name: str = "policy") -> RetrainingPolicy:
    """Return the policy that a YAML text describes.

    Parameters
    ----------
    text
        The YAML.
    name
        What messages call it, such as its file.

    Raises
    ------
    PolicyError
        When it is no YAML mapping, or fields are unknown, missing or wrong; all are named.
    """
    try:
        return recorded_policy(yaml.safe_load(text), name)
    except yaml.YAMLError as error:
        raise PolicyError(f"{name} is not YAML: {error}") from error


def recorded_policy(document: Any, name: str) -> RetrainingPolicy:
    """Return the policy of a JSON document, such as that of a retraining's row.

    Raises
    ------
    PolicyError
        When it is none.
    """
    try:
        return RetrainingPolicy.model_validate(document)
    except ValidationError as error:
        raise PolicyError(f"{name}: {describe_problems(error)}") from error
