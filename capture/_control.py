"""Requests to the control endpoint of a virtual fixture: JSON over HTTP, loopback only."""

from __future__ import annotations

import http.client
import ipaddress
import json
import threading
from typing import Any, Final
from urllib.parse import urlsplit

from capture.errors import ActuatorSettingsError

_DEADLINE_S: Final = 10.0
_LONGEST_ANSWER_BYTES: Final = 4 << 20


class ControlFailedError(Exception):
    """The endpoint did not answer, or refused; the message says why."""


class ControlEndpoint:
    """A control endpoint; keeps its connection, follows no redirects, serves any thread.

    Parameters
    ----------
    url
        `http://127.0.0.1:PORT`.

    Raises
    ------
    ActuatorSettingsError
        If the URL is not plain HTTP to a loopback address.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
            is_loopback = (
                parts.hostname == "localhost"
                or ipaddress.ip_address(parts.hostname or "").is_loopback
            )
        except ValueError:
            port, is_loopback = None, False
        if parts.scheme != "http" or not is_loopback or port is None or parts.path.strip("/"):
            raise ActuatorSettingsError(
                f"the control endpoint {url!r} cannot be used: write http://127.0.0.1:PORT, as the"
                " virtual fixture printed it when it started"
            )
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", port, timeout=_DEADLINE_S
        )
        self._url = url
        self._lock = threading.Lock()

    def get(self, path: str) -> dict[str, Any]:
        """GET a path; ControlFailedError unless the answer is a JSON object."""
        return self._request("GET", path, None)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PUT a JSON object; ControlFailedError if it is refused."""
        return self._request("PUT", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        with self._lock:
            status, data = self._answer(method, path, body)
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ControlFailedError(f"{self._url}{path} answered {status} without a JSON object")
        if status != http.client.OK:
            raise ControlFailedError(f"{self._url}{path}: {answer.get('error', status)}")
        return answer

    def _answer(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            return self._exchange(method, path, body)
        except (http.client.HTTPException, ConnectionError):
            # the kept connection may have been closed in a pause: once more with a new one
            self._connection.close()
        except OSError as error:
            raise self._failure(error) from None
        try:
            return self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            raise self._failure(error) from None

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        return response.status, response.read(_LONGEST_ANSWER_BYTES)

    def _failure(self, error: Exception) -> ControlFailedError:
        self._connection.close()
        return ControlFailedError(
            f"the control endpoint {self._url} does not answer ({error}): is the virtual fixture"
            " running?"
        )
