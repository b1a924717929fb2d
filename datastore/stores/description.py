"""What a host's settings say of an asset store: where it is and what it keeps; opens none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from datastore.store import LOCAL_STORE
from datastore.tables import AssetRole

_PREFIX = re.compile(r"[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*")


def _is_store_name(text: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", text):
        raise ValueError("a store's name has lower-case letters, digits and -, a letter first")
    if text == LOCAL_STORE:
        raise ValueError(f"{LOCAL_STORE!r} is the home's own store, whose folder is in [store]")
    return text


def _is_variable_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError(
            "not the name of an environment variable; what is secret itself belongs into the"
            " variable, not here"
        )
    return text


def _is_prefix(text: str) -> str:
    if (text and not _PREFIX.fullmatch(text)) or {".", ".."} & set(text.split("/")):
        raise ValueError("a prefix is parts of letters, digits and _.=- with / between them")
    return text


def _is_endpoint(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?/?", text):
        # a user, a password or a query would be a secret, and is not repeated
        raise ValueError(
            "an endpoint is the address of a server and nothing else, https://s3.example.org:9000"
        )
    if urlsplit(text).port == 0:
        raise ValueError("an endpoint's port is a number from 1 to 65535")
    return text.rstrip("/")


def _are_distinct(roles: tuple[AssetRole, ...]) -> tuple[AssetRole, ...]:
    if not roles:
        raise ValueError("a store keeps at least one role")
    return tuple(dict.fromkeys(roles))


StoreName = Annotated[str, AfterValidator(_is_store_name)]
VariableName = Annotated[str, AfterValidator(_is_variable_name)]
Roles = Annotated[tuple[AssetRole, ...], AfterValidator(_are_distinct)]

ALL_ROLES: tuple[AssetRole, ...] = get_args(AssetRole)


class _Description(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keeps: Roles = ALL_ROLES
    """Roles of the assets that get a copy there."""


class LocalDescription(_Description):
    """A folder of this host, on another disk if it is to be worth something."""

    kind: Literal["local"]
    root: Path
    """Relative to the home."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return str(self.root)


class S3Description(_Description):
    """A bucket of a server that speaks S3."""

    kind: Literal["s3"]
    bucket: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$")]
    prefix: Annotated[str, AfterValidator(_is_prefix)] = ""
    """What every key begins with; nothing else may write below it."""
    endpoint: Annotated[str, AfterValidator(_is_endpoint)] | None = None
    """Address of the server; None for Amazon's of the region."""
    region: str = "us-east-1"
    access_key_variable: VariableName = "AWS_ACCESS_KEY_ID"
    secret_key_variable: VariableName = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - a variable's name
    session_token_variable: VariableName | None = None
    """Names of the environment variables that hold the keys; never the keys."""
    allow_http: bool = False
    """Whether the bytes may travel in the clear; a signature holds nobody from reading them."""
    verify_after_put: bool = True
    """Whether every file is read back after it was put.

    False only for a server that checks the sha256 of what it is sent; its self-test finds out.
    """
    timeout_s: Annotated[float, Field(gt=0)] = 300.0
    """How long the transfer of one file may take."""
    patience_s: Annotated[float, Field(ge=0)] = 30.0
    """How long a server that does not answer is tried again."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        path = f"/{self.prefix}" if self.prefix else ""
        where = "" if self.endpoint is None else f" at {self.endpoint}"
        return f"s3://{self.bucket}{path}{where}"

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Names of the environment variables that hold secrets."""
        names = (self.access_key_variable, self.secret_key_variable, self.session_token_variable)
        return tuple(name for name in names if name is not None)


StoreDescription = Annotated[LocalDescription | S3Description, Field(discriminator="kind")]
