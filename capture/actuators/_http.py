"""A motorised fixture that takes requests over HTTP; only from hosts that the settings name."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from capture.errors import ActuatorError, ActuatorSettingsError

_DEADLINE_S: Final = 300.0
_LAST_WORDS_BYTES: Final = 500


class HttpActuator:
    """Sends one PUT request for each change and takes any 2xx answer for done.

    The body is a JSON object, `{"scene": NAME}` or `{"cap_on": true}`. Redirects are not followed:
    an answer that names another place is a failure.

    Parameters
    ----------
    set_scene
        URL in which `{scene}` may stand for the scene's name.
    set_cap
        URL in which `{state}` may stand for `on` or `off`.
    hosts
        Names of the hosts that may be spoken to; the URLs must name one of them.
    token_variable
        Name of the environment variable that holds a bearer token, None for none.
    deadline_s
        How long the fixture may take, in seconds.

    Raises
    ------
    ActuatorSettingsError
        If a URL cannot be used, names another host, or the variable is not set.
    """

    def __init__(
        self,
        set_scene: str,
        set_cap: str,
        hosts: Sequence[str],
        token_variable: str | None = None,
        deadline_s: float = _DEADLINE_S,
    ) -> None:
        self._set_scene = _checked(set_scene, "set_scene", "{scene}", hosts)
        self._set_cap = _checked(set_cap, "set_cap", "{state}", hosts)
        self.deadline_s = deadline_s
        self._headers = {"Content-Type": "application/json"}
        if token_variable is not None:
            token = os.environ.get(token_variable)
            if not token:
                raise ActuatorSettingsError(
                    f"the actuator's token_variable {token_variable} is not set in the environment"
                )
            self._headers["Authorization"] = f"Bearer {token}"

    def set_scene(self, name: str) -> None:
        """Ask for a scene; ActuatorError if the fixture refuses or does not answer in time."""
        self._put(self._set_scene, "{scene}", name, {"scene": name})

    def set_cap(self, on: bool) -> None:
        """Ask for the caps; ActuatorError if the fixture refuses or does not answer in time."""
        self._put(self._set_cap, "{state}", "on" if on else "off", {"cap_on": on})

    def _put(
        self, place: SplitResult, placeholder: str, value: str, body: dict[str, object]
    ) -> None:
        kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = kind[place.scheme](place.hostname or "", place.port, timeout=self.deadline_s)
        target = f"{place.path or '/'}{'?' + place.query if place.query else ''}"
        target = target.replace(placeholder, quote(value, safe=""))
        where = f"{place.scheme}://{place.netloc}{target}"
        try:
            connection.request("PUT", target, json.dumps(body).encode(), self._headers)
            response = connection.getresponse()
            said = response.read(_LAST_WORDS_BYTES).decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            raise ActuatorError(f"the actuator {where} does not answer: {error}") from None
        finally:
            connection.close()
        if 300 <= response.status < 400:
            raise ActuatorError(
                f"the actuator {where} sent us elsewhere ({response.status}); redirects are not"
                " followed: put the final address into the home's settings"
            )
        if not 200 <= response.status < 300:
            raise ActuatorError(f"the actuator {where} answered {response.status}: {said}")


def _checked(url: str, field: str, placeholder: str, hosts: Sequence[str]) -> SplitResult:
    # braces are no part of a URL: the placeholder stands for text without a special meaning
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_usable = False
    if not is_usable or parts.username is not None or placeholder in parts.netloc:
        raise ActuatorSettingsError(
            f"the actuator's {field} {url!r} cannot be used: write http://HOST:PORT/PATH, without"
            " a user's name"
        )
    if parts.hostname not in {host.lower() for host in hosts}:
        raise ActuatorSettingsError(
            f"the actuator's {field} speaks to {parts.hostname}, which its hosts do not name"
        )
    return parts
