"""A bucket of a server that speaks S3, by keys and bytes; knows no assets and no catalogue.

What goes wrong becomes an error of ours that quotes the server's code and words, and no secret: an
answer may repeat the name of a key.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from datastore.errors import StoreSettingsError, StoreUnavailableError
from datastore.stores.description import S3Description

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore.store import S3Credential, S3Store
    from typing_extensions import Buffer

LARGEST_BYTES: Final = 5_000_000_000
"""Of what S3 takes in one request; more comes in parts, without a condition in many servers."""

_CHUNK_BYTES: Final = 1 << 20
_LISTED_AT_ONCE: Final = 1000
_CONNECT_S: Final = 5.0
_MAX_RETRIES: Final = 20
_MAX_BACKOFF_S: Final = 4.0


@dataclass(frozen=True)
class Found:
    """What a bucket says of a key."""

    key: str
    bytes: int
    modified_at: datetime
    tag: str | None


class Bucket:
    """The keys of a bucket below a prefix; made by `open_bucket`.

    Parameters
    ----------
    objects
        Of obstore.
    place
        Where it is, for messages.
    secrets
        What no message may hold.
    """

    def __init__(self, objects: S3Store, place: str, secrets: tuple[str, ...]) -> None:
        self._objects = objects
        self._secrets = secrets
        self._was_listed = False
        self.place = place

    def create(self, key: str, data: Buffer) -> bool:
        """Put bytes under a key that is not taken, in one step; False where it is taken."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with self._translated(f"put {key}"):
            try:
                # a file in parts would overwrite what is there
                obstore.put(self._objects, key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            except FileNotFoundError as error:
                raise self._no_bucket(error) from None
        return True

    def find(self, key: str) -> Found | None:
        """Return what the bucket says of a key, None where it has none."""
        import obstore

        with self._translated(f"look for {key}"):
            try:
                meta = obstore.head(self._objects, key)
            except FileNotFoundError:
                self._require_bucket()
                return None
        return _found(meta)

    def open(self, key: str) -> io.BufferedReader | None:
        """Open a key for reading from its beginning, in one request; None where it has none."""
        import obstore

        with self._translated(f"read {key}"):
            try:
                chunks = obstore.get(self._objects, key).stream(min_chunk_size=_CHUNK_BYTES)
            except FileNotFoundError:
                self._require_bucket()
                return None
        raw = _Stream(iter(chunks), lambda: self._translated(f"read {key}"))
        return io.BufferedReader(raw, _CHUNK_BYTES)

    def sha256(self, key: str) -> str | None:
        """Return the hash of the bytes of a key, read to their end; None where it has none."""
        file = self.open(key)
        if file is None:
            return None
        with file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def copy(self, key: str, to: str) -> None:
        """Have the server copy a key's bytes, over what is there."""
        import obstore

        with self._translated(f"copy {key}"):
            obstore.copy(self._objects, key, to)

    def delete(self, key: str) -> None:
        """Remove a key, for ever; one that is not there needs no removing."""
        import obstore

        with self._translated(f"remove {key}"):
            obstore.delete(self._objects, key)

    def list(self, folder: str, after: str | None = None) -> Iterator[Found]:
        """Return what is below a folder of keys, as the server orders it, those behind `after`."""
        import obstore

        with self._translated(f"list {folder}"):
            pages = iter(
                obstore.list(self._objects, folder, offset=after, chunk_size=_LISTED_AT_ONCE)
            )
        while True:
            with self._translated(f"list {folder}"):
                page = next(pages, None)
            if page is None:
                return
            yield from map(_found, page)

    def _require_bucket(self) -> None:
        """Tell a key that is not there from a bucket that is not there, once."""
        import obstore

        if not self._was_listed:
            try:
                next(iter(obstore.list(self._objects, "sha256", chunk_size=1)), None)
            except FileNotFoundError as error:
                raise self._no_bucket(error) from None
            self._was_listed = True

    def _no_bucket(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self.place}: there is no such bucket ({self._said(error)})")

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        from obstore.exceptions import (
            BaseError,
            PermissionDeniedError,
            UnauthenticatedError,
        )

        try:
            yield
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise StoreUnavailableError(
                f"{self.place}: not allowed to {action} ({self._said(error)}): look at the keys and"
                " at what they permit"
            ) from None
        except (BaseError, OSError, ValueError) as error:
            raise StoreUnavailableError(
                f"{self.place}: could not {action} ({self._said(error)})"
            ) from None

    def _said(self, error: Exception) -> str:
        """Return what a server said, or why it could not be asked."""
        text = str(error)
        parts = [
            found[1].strip()
            for pattern in (
                r"status code: (\d{3} [A-Za-z ]+)",
                r"<Code>([^<]{1,100})</Code>",
                r"<Message>([^<]{1,300})</Message>",
                r'message: "([^"]{1,200})"',
            )
            if (found := re.search(pattern, text))
        ]
        said = ": ".join(parts) or ("no answer in time" if "TimedOut" in text else "no answer")
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said


class _Stream(io.RawIOBase):
    """Chunks that come over the network, as a file."""

    def __init__(self, chunks: Iterator[Any], translated: Callable[[], Any]) -> None:
        super().__init__()
        self._chunks = chunks
        self._translated = translated
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if not self._rest:
            with self._translated():
                self._rest = memoryview(bytes(next(self._chunks, b"")))
        with memoryview(buffer).cast("B") as view:
            count = min(len(view), len(self._rest))
            view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def open_bucket(
    description: S3Description,
    headers: Mapping[str, str] | None = None,
    *,
    has_checksum: bool = True,
) -> Bucket:
    """Open a bucket; its server is not spoken to yet.

    Parameters
    ----------
    description
        Of the settings.
    headers
        Sent with every request besides those of S3.
    has_checksum
        Whether bytes are sent with their sha256.

    Raises
    ------
    StoreSettingsError
        If the extra `s3` is not installed, or the environment has not the keys.
    """
    try:
        from obstore.store import S3Store
    except ImportError:
        raise StoreSettingsError(
            "a store of the kind s3 needs the extra `s3`: pip install 'agetrace[s3]'"
        ) from None
    keys = {name: os.environ.get(name) for name in description.key_variables}
    missing = [name for name, value in keys.items() if not value]
    if missing:
        raise StoreSettingsError(
            f"the environment has no {' and no '.join(missing)}, which are to hold the keys of the"
            f" bucket {description.bucket}"
        )
    credential: S3Credential = {
        "access_key_id": keys[description.access_key_variable] or "",
        "secret_access_key": keys[description.secret_key_variable] or "",
        "token": keys.get(description.session_token_variable or ""),
        "expires_at": None,
    }
    config: dict[str, Any] = {
        "region": description.region,
        "skip_signature": False,
        "unsigned_payload": False,
        # the request for many keys at once is what servers that speak a little S3 lack most
        "disable_bulk_delete": True,
    }
    if has_checksum:
        config["checksum_algorithm"] = "sha256"
    if description.endpoint is not None:
        # the environment's address for S3 would go before the settings' otherwise
        config |= {"endpoint": description.endpoint, "aws_endpoint_url_s3": description.endpoint}
    objects = S3Store(
        description.bucket,
        prefix=description.prefix or None,
        config=cast(Any, config),
        client_options={
            "allow_http": description.allow_http,
            "connect_timeout": timedelta(seconds=_CONNECT_S),
            "timeout": timedelta(seconds=description.timeout_s),
            "default_headers": dict(headers or {}),
        },
        retry_config={
            "max_retries": _MAX_RETRIES,
            "retry_timeout": timedelta(seconds=description.patience_s),
            "backoff": {"max_backoff": timedelta(seconds=_MAX_BACKOFF_S)},
        },
        credential_provider=lambda: credential,
    )
    secrets = (credential["access_key_id"], credential["secret_access_key"])
    return Bucket(
        objects, description.place, tuple(filter(None, (*secrets, credential.get("token"))))
    )


def checksum_header(data: bytes) -> dict[str, str]:
    """Return the header with which S3 is told the sha256 of what it gets."""
    return {"x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(data).digest()).decode()}


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"], meta["last_modified"], meta.get("e_tag"))
