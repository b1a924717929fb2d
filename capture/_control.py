"""Requests to the control endpoint of a virtual fixture: JSON over HTTP, loopback only."""

from __future__ import annotations

import http.client
import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

from capture.errors import ActuatorSettingsError

REQUEST_DEADLINE_S: Final = 10.0
"""How long the endpoint may take for an answer, in seconds."""

_LONGEST_ANSWER_BYTES: Final = 4 << 20


class ControlFailedError(Exception):
    """The endpoint did not answer, or refused; the message says why."""


class ControlEndpoint:
    """A control endpoint; follows no redirects and serves any thread.

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
        self._host = parts.hostname or ""
        self._port = port
        self._url = url

    def get(self, path: str) -> dict[str, Any]:
        """GET a path; ControlFailedError unless the answer is a JSON object."""
        return self._request("GET", path, None)

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """PUT a JSON object; ControlFailedError if it is refused."""
        return self._request("PUT", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=REQUEST_DEADLINE_S)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            status, data = response.status, response.read(_LONGEST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise ControlFailedError(
                f"the control endpoint {self._url} does not answer ({error}): is the virtual"
                " fixture running?"
            ) from None
        finally:
            connection.close()
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ControlFailedError(f"{self._url}{path} answered {status} without a JSON object")
        if status != http.client.OK:
            raise ControlFailedError(f"{self._url}{path}: {answer.get('error', status)}")
        return answer
