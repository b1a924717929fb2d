"""Frames and dataset items as portable facts; knows no database, no specification, no split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from datastore.clocks import as_utc
from datastore.datasets.spec import Kind, Role, rational_text

T = TypeVar("T")

Block = Literal["train", "validation", "new-session", "new-scene", "clean"]
"""Where an item belongs; `clean` shares neither its scene nor its session with `train`."""

BLOCKS: tuple[Block, ...] = ("train", "validation", "new-session", "new-scene", "clean")
"""Every block, in the order of reports."""

TEST_BLOCKS: tuple[Block, ...] = ("new-session", "new-scene", "clean")
"""The blocks that results are stated on."""


def time_text(at: datetime) -> str:
    """Write a time as UTC with microseconds, `2026-01-31T12:00:00.000000Z`."""
    # isoformat costs a third of strftime, and four digits of the year as strftime's %Y has not
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _time(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return as_utc(value) if isinstance(value, datetime) else value


def _reduced(text: str) -> str:
    if rational_text(text) != text:
        raise ValueError(f"{text!r} is not a reduced rational number")
    return text


UtcTime = Annotated[datetime, BeforeValidator(_time), PlainSerializer(time_text)]
Rational = Annotated[str, AfterValidator(_reduced)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
StrictInt = Annotated[int, Field(strict=True)]
VerdictName = Literal["accepted", "quarantined", "rejected"]
Settings = tuple[int | None, str | None, str | None]
"""ISO, exposure and aperture together."""


class Portable(BaseModel):
    """Base of everything that a manifest holds: frozen, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraIdentity(Portable):
    """One physical or simulated camera body, named the same in every catalogue."""

    make: str
    model: str
    serial: str
    simulated: Annotated[bool, Field(strict=True)]

    def __str__(self) -> str:
        return f"{self.make} {self.model} {self.serial}"

    def __hash__(self) -> int:
        # of a hundred thousand items each asks for it, and serials alone tell nearly all apart
        return hash(self.serial)


class TimeslotBounds(Portable):
    """A timeslot copied with its scheme and its half-open UTC interval."""

    scheme: str
    ordinal: StrictInt
    starts_at: UtcTime
    ends_at: UtcTime


@dataclass_transform(frozen_default=True)
def _light(record: type[T]) -> type[T]:
    """Make a slotted dataclass that type checkers hold to be frozen.

    One that is frozen at run time as well costs seven times as much to construct, which was a
    seventh of the time of freezing a large dataset.
    """
    return dataclass(slots=True, unsafe_hash=True)(record)


@_light
class Frame:
    """One asset with the recorded facts of its shot.

    `scene` is `name@revision` within `fixture`; natural frames have neither. `exposure` (seconds)
    and `f_number` are reduced rational strings. What is unknown is None. Constructed as it is from
    facts that a catalogue guarantees; what comes from elsewhere goes through `checked`.
    """

    sha256: str
    role: Role
    kind: Kind
    camera: CameraIdentity
    firmware: str | None
    fixture: str | None
    scene: str | None
    session: str
    session_started_at: datetime
    triggered_at: datetime
    iso: int | None
    exposure: str | None
    f_number: str | None
    temperature_millidegrees: int | None
    verdict: VerdictName | None

    @classmethod
    def checked(cls, facts: Mapping[str, Any]) -> Frame:
        """Return the frame of facts by name, each of them validated.

        Raises
        ------
        pydantic.ValidationError
            If one is missing, unknown or malformed.
        """
        return Frame(**_fields(_FrameFacts.model_validate(facts)))

    @property
    def scene_unit(self) -> str | None:
        """What must not be shared between blocks: the scene's name, whatever its revision."""
        return None if self.scene is None else self.scene.rpartition("@")[0]

    @property
    def session_unit(self) -> str:
        """What must not be shared between blocks: the session, for natural frames the UTC day.

        A folder that was imported in one go spans years; its pictures of one day share content.
        """
        if self.kind == "natural":
            return self.triggered_at.strftime("%Y-%m-%d")
        return self.session

    @property
    def settings(self) -> Settings:
        """ISO, exposure and aperture together."""
        return (self.iso, self.exposure, self.f_number)


@_light
class Item(Frame):
    """A frame with its label, its timeslot and its block, as frozen in a manifest.

    `age_s` is the age in whole seconds where the dataset's label is the age, None elsewhere.
    """

    class_name: str
    timeslot: TimeslotBounds
    block: Block
    age_s: int | None = None

    @classmethod
    def of(
        cls,
        frame: Frame,
        *,
        class_name: str,
        timeslot: TimeslotBounds,
        block: Block,
        age_s: int | None = None,
    ) -> Item:
        """Return a frame as an item."""
        # by place: names would cost as much as all the rest
        return Item(
            frame.sha256,
            frame.role,
            frame.kind,
            frame.camera,
            frame.firmware,
            frame.fixture,
            frame.scene,
            frame.session,
            frame.session_started_at,
            frame.triggered_at,
            frame.iso,
            frame.exposure,
            frame.f_number,
            frame.temperature_millidegrees,
            frame.verdict,
            class_name,
            timeslot,
            block,
            age_s,
        )

    @classmethod
    def checked(cls, facts: Mapping[str, Any]) -> Item:
        """Return the item of facts by name, each of them validated; raises as `Frame.checked`."""
        return Item(**_fields(_ItemFacts.model_validate(facts)))


class _FrameFacts(Portable):
    """What the facts of a frame must be."""

    sha256: Sha256
    role: Role
    kind: Kind
    camera: CameraIdentity
    firmware: str | None
    fixture: str | None
    scene: Annotated[str, Field(pattern=r"^.+@[0-9]+$")] | None
    session: str
    session_started_at: UtcTime
    triggered_at: UtcTime
    iso: StrictInt | None
    exposure: Rational | None
    f_number: Rational | None
    temperature_millidegrees: StrictInt | None
    verdict: VerdictName | None


class _ItemFacts(_FrameFacts):
    class_name: str
    timeslot: TimeslotBounds
    block: Block
    age_s: StrictInt | None = None


def _fields(facts: Portable) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in type(facts).model_fields}


def content_order(frame: Frame) -> tuple[Any, ...]:
    """Return the sort key of frames that is the same in every catalogue: camera, time, hash."""
    camera = frame.camera
    return (camera.make, camera.model, camera.serial, frame.triggered_at, frame.sha256)
