"""The systemd unit of a home's daemon, as text; installs nothing and holds no secret."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ENVIRONMENT_NAME: Final = "daemon.env"
"""File of the home with what the daemon needs from the environment."""

_UNIT: Final = """\
# {place}
# made by `agetrace daemon unit`: make it anew after moving the home or the installation

[Unit]
Description=agetrace daemon of {description}
{after}# captures go on for years: it is never given up
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
WorkingDirectory={folder}
{user}# variables such as AGETRACE_DATABASE_URL and the addresses of notifications: chmod 600
EnvironmentFile=-{environment}
SyslogIdentifier={name}
UMask=0027

# it says that it lives as it gets on; a locked catalogue may hold up one step for a minute
WatchdogSec=300
TimeoutStartSec=300
Restart=always
RestartSec=10

# only the daemon is asked to end: it finishes the shots in hand, which may take an exposure
KillMode=mixed
TimeoutStopSec=900

# Left out on purpose: PrivateDevices, ProtectClock and DevicePolicy hide USB cameras,
# PrivateNetwork and IPAddressDeny network cameras; MemoryDenyWriteExecute forbids the compiled
# checks of frames; ProtectHome may hide the home.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
{hardening}
[Install]
WantedBy={target}
"""

_SYSTEM_AFTER: Final = """\
After=network-online.target time-sync.target
Wants=network-online.target time-sync.target
"""
_SYSTEM_HARDENING: Final = """\
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
"""


def unit_place(name: str, *, of_user: bool) -> Path:
    """Return where systemd looks for a unit: the system's, or a user's own."""
    folder = Path.home() / ".config/systemd/user" if of_user else Path("/etc/systemd/system")
    return folder / f"{name}.service"


def unit_text(home_folder: Path, name: str, *, user: str | None) -> str:
    """Return the unit of a home's daemon.

    Parameters
    ----------
    home_folder
        The home.
    name
        Of the unit.
    user
        The login that the system's unit runs as; None for a unit of the user's own manager.
    """
    of_user = user is None
    folder = home_folder.resolve()
    # -P: a folder of the home must not stand in for a module of the program
    command = [sys.executable, "-P", "-m", "agetrace", "--home", str(folder), "daemon", "run"]
    return _UNIT.format(
        place=unit_place(name, of_user=of_user),
        description=_plain(folder),
        after="" if of_user else _SYSTEM_AFTER,
        command=" ".join(_quoted(word) for word in command),
        folder=_plain(folder),
        user="" if of_user else f"User={user}\n",
        environment=_plain(folder / ENVIRONMENT_NAME),
        name=name,
        hardening="" if of_user else _SYSTEM_HARDENING,
        target="default.target" if of_user else "multi-user.target",
    )


def _plain(path: Path) -> str:
    """Return a path where systemd takes the rest of the line, percent signs excepted."""
    return str(path).replace("%", "%%")


def _quoted(word: str) -> str:
    """Return a word of a command line as systemd reads it."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != word or " " in word or "'" in word else word
