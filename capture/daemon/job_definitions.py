"""What a home's settings say of a job: which command, and what calls for it; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from capture.schedules.rules import Rule
from datastore.zones import ZoneName

PLACEHOLDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "after": ("session", "date"),
    "when_timeslot_closes": ("scheme", "timeslot", "date"),
    "rule": ("date",),
}
"""What a command may name in braces, by the field that calls for the job."""

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_MOST_S: Final = 31 * 24 * 3600.0

JobName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]


def _readable_command(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or command[0].startswith("-"):
        raise ValueError(
            'must be what follows `agetrace` at the command line, such as ["defects", "extract"]'
        )
    if any("\0" in word for word in command):
        raise ValueError("holds a zero byte, which no argument can")
    return command


class JobDefinition(BaseModel):
    """A command of agetrace that the daemon runs by itself, and what calls for it.

    Exactly one of `after`, `when_timeslot_closes` and `rule` is given.

    Attributes
    ----------
    command
        The arguments that follow `agetrace`; `{placeholder}` stands for what the job is for.
    after
        Once for every capture session that ends as completed or partial: `session` for any of
        them, `dark-session` for those with dark fields.
    when_timeslot_closes
        Once for every timeslot of the scheme of this name, when it is over.
    rule, zone
        Once for every due time of a rule in local time, in an IANA zone. Of an hour that occurs
        twice the first pass counts; what falls into a gap is due after it.
    limit_s
        How long one attempt may take, in seconds.
    attempts, retry_after_s
        How often it is tried, and how many seconds lie between.
    nice
        How far it gives way to other processes, 0 to 19.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Annotated[tuple[str, ...], AfterValidator(_readable_command)]
    after: Literal["session", "dark-session"] | None = None
    when_timeslot_closes: Annotated[str, Field(min_length=1)] | None = None
    rule: Rule | None = None
    zone: ZoneName | None = None
    limit_s: Annotated[float, Field(gt=0, le=_MOST_S)] = 3600.0
    attempts: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    retry_after_s: Annotated[float, Field(ge=0, le=_MOST_S)] = 300.0
    nice: Annotated[int, Field(strict=True, ge=0, le=19)] = 10

    @model_validator(mode="after")
    def _consistent(self) -> JobDefinition:
        given = [name for name in PLACEHOLDERS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(PLACEHOLDERS)}")
        if (self.rule is None) != (self.zone is None):
            raise ValueError("rule and zone belong together")
        known = PLACEHOLDERS[given[0]]
        for word in self.command:
            for name in _PLACEHOLDER.findall(word):
                if name not in known:
                    raise ValueError(
                        f"command: {{{name}}} is nothing that a job with {given[0]} knows; it"
                        f" knows {', '.join(f'{{{one}}}' for one in known)}"
                    )
        return self

    @property
    def trigger(self) -> str:
        """What calls for the job, in words that stay the same as long as it does."""
        if self.after is not None:
            return f"after {self.after}"
        if self.when_timeslot_closes is not None:
            return f"when a timeslot of {self.when_timeslot_closes} closes"
        assert self.rule is not None
        return f"by {self.rule.model_dump_json(exclude_none=True)} in {self.zone}"

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """Return the command with its placeholders replaced; every word stays one word."""
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in self.command]
