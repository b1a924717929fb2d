"""The home: its folder, its settings file, and how to open what it holds."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agetrace.errors import HomeError
from datastore.stores.description import StoreDescription, StoreName, VariableName

if TYPE_CHECKING:
    from datastore.catalogue import Catalogue
    from datastore.stores.registry import Stores

SETTINGS_NAME = "agetrace.toml"
DATABASE_VARIABLE = "AGETRACE_DATABASE_URL"

_TEMPLATE = """\
# Settings of this home. Paths are relative to this file's folder.

[catalogue]
# SQLite in this home; the environment's AGETRACE_DATABASE_URL puts the catalogue on PostgreSQL.
url = "sqlite:///catalogue.sqlite"

[store]
root = "store"

[spool]
root = "spool"

# Further stores get copies: `agetrace store add` tries one out and writes its section.
# [stores.vault]
# kind = "s3"                       # or "local" with a root
# bucket = "frames"
# keeps = ["raw", "jpeg"]           # roles of the files that it gets; all where it says nothing

[timeslots]
# default_scheme = "monthly"

[clock]
# "host", or "simulated" with the control endpoint of a virtual fixture (all cameras simulated).
source = "host"
# url = "http://127.0.0.1:8700"

# How long a session waits for an operator's answer to a prompt.
[operator]
patience_s = 3600

# How long a camera that does not answer is tried again before it counts as lost.
[cameras]
patience_s = 15

# How often `agetrace daemon run` looks for what is due, and how far ahead due times get their rows.
[daemon]
tick_s = 10
horizon_days = 14
# metrics_port = 9464         # Prometheus metrics for this computer alone; none without it

# Who is told of what needs somebody: names of environment variables that keep the addresses of
# channels, in the form that apprise documents. The addresses are secrets and don't belong here.
[notifications]
# channels = { lab = "AGETRACE_NOTIFY_LAB" }

# What `agetrace daemon health` and the notifications find too little, too long or too late.
[health]
free_gb = 10                # free space of store and spool
good_session_days = 3       # without a completed session although one was due
daemon_silent_s = 300       # since the daemon last worked
overdue_s = 600             # after its window, an occurrence that nobody said anything about
outbox_stuck_s = 3600       # a message that is not sent
failed_job_days = 7         # how long a job that failed last is spoken of

# Log lines on standard error: of the daemon as "json", of other commands only where --log-format or
# format asks for them.
[logs]
# format = "plain"
level = "info"

# Who changes the scene: an operator is asked unless a fixture has an actuator of its own.
# [actuators.my-fixture]
# kind = "command"                                  # or "http", "virtual" with a url, "prompt"
# set_scene = ["/usr/local/bin/carousel", "{scene}"]
# set_cap = ["/usr/local/bin/cap", "{state}"]

# What the daemon runs by itself: the arguments that follow `agetrace`, and what calls for them.
# [jobs.extract-defects]
# command = ["defects", "extract"]
# after = "dark-session"        # or "session"; or when_timeslot_closes = "SCHEME"; or rule and zone
"""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CatalogueSettings(_Section):
    """Where the catalogue is."""

    url: str = "sqlite:///catalogue.sqlite"


class FolderSettings(_Section):
    """A folder of the home."""

    root: Path


class TimeslotSettings(_Section):
    """How times are labelled where a command does not say."""

    default_scheme: str | None = None


class ClockSettings(_Section):
    """Source of the civil time."""

    source: Literal["host", "simulated"] = "host"
    url: str | None = None


class PromptSettings(_Section):
    """An operator changes the scene and answers the session's prompts."""

    kind: Literal["prompt"]


class VirtualSettings(_Section):
    """The control endpoint of a virtual fixture changes the scene."""

    kind: Literal["virtual"]
    url: str


class CommandSettings(_Section):
    """Commands of this machine change the scene; argument lists, never a shell line."""

    kind: Literal["command"]
    set_scene: list[str]
    set_cap: list[str]


class HttpSettings(_Section):
    """A motorised fixture in the network changes the scene; only the named hosts are spoken to."""

    kind: Literal["http"]
    hosts: list[str]
    set_scene: str
    set_cap: str
    token_variable: str | None = None


Actuator = Annotated[
    PromptSettings | VirtualSettings | CommandSettings | HttpSettings,
    Field(discriminator="kind"),
]


class OperatorSettings(_Section):
    """What a session expects of its operator."""

    patience_s: Annotated[float, Field(gt=0)] = 3600.0


class CamerasSettings(_Section):
    """What a session expects of its cameras."""

    patience_s: Annotated[float, Field(ge=0)] = 15.0


class DaemonSettings(_Section):
    """How the daemon works."""

    tick_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    horizon_days: Annotated[float, Field(gt=0, le=3660)] = 14.0
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None


class NotificationSettings(_Section):
    """Channels over which people are told, each with the variable that keeps its address."""

    channels: dict[str, VariableName] = {}


class HealthSettings(_Section):
    """From when on something is worth telling people."""

    free_gb: Annotated[float, Field(ge=0)] = 10.0
    good_session_days: Annotated[float, Field(gt=0)] = 3.0
    daemon_silent_s: Annotated[float, Field(gt=0)] = 300.0
    overdue_s: Annotated[float, Field(ge=0)] = 600.0
    outbox_stuck_s: Annotated[float, Field(gt=0)] = 3600.0
    failed_job_days: Annotated[float, Field(gt=0)] = 7.0


class LogSettings(_Section):
    """Log lines; None has only the daemon write them."""

    format: Literal["json", "plain"] | None = None
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(_Section):
    """Content of `agetrace.toml`."""

    catalogue: CatalogueSettings = CatalogueSettings()
    store: FolderSettings = FolderSettings(root=Path("store"))
    spool: FolderSettings = FolderSettings(root=Path("spool"))
    stores: dict[StoreName, StoreDescription] = {}
    timeslots: TimeslotSettings = TimeslotSettings()
    clock: ClockSettings = ClockSettings()
    operator: OperatorSettings = OperatorSettings()
    cameras: CamerasSettings = CamerasSettings()
    daemon: DaemonSettings = DaemonSettings()
    notifications: NotificationSettings = NotificationSettings()
    health: HealthSettings = HealthSettings()
    logs: LogSettings = LogSettings()
    actuators: dict[str, Actuator] = {}
    jobs: dict[str, dict[str, Any]] = {}
    """What the daemon runs by itself, as written; `agetrace.jobs` reads it where it matters."""


@dataclass(frozen=True)
class Home:
    """A folder with settings, the SQLite catalogue and the local store."""

    folder: Path
    settings: Settings

    @property
    def database_url(self) -> str:
        """URL of the catalogue: the environment's if it names one, else the settings'."""
        from_environment = os.environ.get(DATABASE_VARIABLE)
        if from_environment:
            return from_environment
        url = self.settings.catalogue.url
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            return prefix + str((self.folder / url.removeprefix(prefix)).resolve())
        return url

    @property
    def store_root(self) -> Path:
        """Folder of the local asset store."""
        return (self.folder / self.settings.store.root).resolve()

    @property
    def spool_root(self) -> Path:
        """Folder where frames wait between the camera and the store."""
        return (self.folder / self.settings.spool.root).resolve()

    @property
    def work_root(self) -> Path:
        """Folder of decoded frames and runs in hand; deleting it costs only time."""
        return (self.folder / "work").resolve()

    @property
    def log_root(self) -> Path:
        """Folder of what commands said that nobody watched."""
        return (self.folder / "logs").resolve()

    @property
    def backup_root(self) -> Path:
        """Folder of backups where a command names no other."""
        return (self.folder / "backups").resolve()

    def has_shared_catalogue(self) -> bool:
        """Return whether there is a catalogue on PostgreSQL, which hosts share."""
        from datastore.engine import parse_url, sqlite_path
        from migrations import runner

        if sqlite_path(parse_url(self.database_url)) is not None:
            return False
        return runner.current(self.database_url) is not None

    def open_catalogue(self) -> Catalogue:
        """Open the catalogue and its store.

        Raises
        ------
        datastore.errors.DatastoreError
            If there is no catalogue, or it is of another revision.
        """
        from datastore.catalogue import open_catalogue

        return open_catalogue(self.database_url, self.store_root)

    def describe_store(self, description: StoreDescription) -> StoreDescription:
        """Return a store's description with the paths that it means in this home."""
        if description.kind == "local":
            root = (self.folder / description.root).resolve()
            return description.model_copy(update={"root": root})
        return description

    def open_stores(self) -> Stores:
        """Return the stores of this home, the home's own first; each is opened when it is used."""
        from datastore.store import LocalStore
        from datastore.stores.registry import Stores

        descriptions = {
            name: self.describe_store(description)
            for name, description in self.settings.stores.items()
        }
        return Stores(LocalStore(self.store_root), descriptions)


def load_home(folder: Path) -> Home:
    """Read the settings of a home.

    Raises
    ------
    HomeError
        If the folder holds no settings, or they cannot be read.
    """
    path = folder / SETTINGS_NAME
    if not path.is_file():
        raise HomeError(
            f"{folder.resolve()} is no agetrace home (it has no {SETTINGS_NAME}): make one with"
            " `agetrace init DIR`, or name one with --home or AGETRACE_HOME"
        )
    try:
        settings = Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{path}: {error}") from None
    except ValidationError as error:
        from datastore.descriptions import describe_problems

        raise HomeError(f"{path}: {describe_problems(error)}") from None
    return Home(folder.resolve(), settings)


def create_home(folder: Path) -> Home:
    """Make a home: settings, an empty catalogue at the current revision, store and spool.

    A catalogue on PostgreSQL that is there already is left as it is, and joined: further hosts
    share it.

    Raises
    ------
    HomeError
        If the folder already is a home, or cannot be one.
    datastore.errors.DatastoreError
        If the catalogue cannot be made, or one that is there is of another revision.
    """
    path = folder / SETTINGS_NAME
    if path.exists():
        raise HomeError(f"{folder.resolve()} is already an agetrace home; nothing was changed")
    from migrations import runner

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"{folder}: no folder can be made there: {error.strerror}") from None
    home = Home(folder.resolve(), Settings())
    home.store_root.mkdir(parents=True, exist_ok=True)
    home.spool_root.mkdir(parents=True, exist_ok=True)
    if home.has_shared_catalogue():
        home.open_catalogue().close()
    else:
        runner.create(home.database_url)
    path.write_text(_TEMPLATE, encoding="utf-8")
    return load_home(folder)
