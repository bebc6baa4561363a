"""Which mode Weights & Biases will run in, decided from files and the environment, without network or wandb itself."""

from __future__ import annotations

import configparser
import importlib.util
import netrc
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PUBLIC_HOSTS = ("api.wandb.ai", "api.forge.coreweave.com")
MODES = ("online", "offline", "disabled", "shared")
"""What `WANDB_MODE` may say, apart from the older names below."""
_MODES = {"run": "online", "dryrun": "offline"}
_KEYS = ("api_key", "identity_token_file")


@dataclass(frozen=True, slots=True)
class Account:
    """The mode (`online`, `offline`, `disabled`, or another that wandb knows) and why it is this one."""

    mode: str
    reason: str


def account(environment: Mapping[str, str] | None = None) -> Account:
    """The mode that the next run will have.

    An explicit choice (`WANDB_MODE`, `wandb offline`, `wandb disabled`) is kept. Otherwise runs are online for those
    who are logged in and offline for everyone else, so that nobody is ever asked for a key.

    Args:
        environment: Environment variables, the process's own when not given.
    """
    environment = os.environ if environment is None else environment
    if not _installed():
        return Account("disabled", "wandb is not installed")
    settings = _settings(environment)
    if chosen := environment.get("WANDB_MODE"):
        return Account(_MODES.get(chosen, chosen), "WANDB_MODE is set")
    if chosen := settings.get("mode"):
        return Account(_MODES.get(chosen, chosen), "chosen in wandb's settings file")
    if found := _credentials(environment, settings):
        return Account("online", f"logged in by {found}")
    return Account("offline", "nobody is logged in")


def _installed() -> bool:
    """True when wandb can be imported; a plain folder called wandb, as its runs leave behind, does not count."""
    try:
        found = importlib.util.find_spec("wandb")
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    """wandb's settings files, the one of the working directory over the user's own."""
    home = _home(environment)
    user = Path(environment.get("WANDB_CONFIG_DIR") or home / ".config" / "wandb").expanduser()
    work = Path(environment.get("WANDB_DIR") or ".") / "wandb"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read([user / "settings", work / "settings"], encoding="utf-8")
    except (configparser.Error, OSError, UnicodeError):
        return {}
    return dict(parser["default"]) if parser.has_section("default") else {}


def _credentials(environment: Mapping[str, str], settings: Mapping[str, str]) -> str:
    """Where a key was found, or nothing."""
    for key in _KEYS:
        if environment.get(f"WANDB_{key.upper()}"):
            return f"WANDB_{key.upper()}"
        if settings.get(key):
            return "wandb's settings file"
    address = environment.get("WANDB_BASE_URL") or settings.get("base_url") or ""
    host = urlsplit(address).netloc
    hosts = _PUBLIC_HOSTS if not host or host in _PUBLIC_HOSTS else (host,)
    return _netrc(environment, hosts)


def _netrc(environment: Mapping[str, str], hosts: tuple[str, ...]) -> str:
    home = _home(environment)
    given = environment.get("NETRC")
    for file in [Path(given)] if given else [home / ".netrc", home / "_netrc"]:
        try:
            known = netrc.netrc(file.expanduser())
        except (netrc.NetrcParseError, OSError, UnicodeError, RuntimeError):
            continue
        if any((known.authenticators(host) or ("", "", ""))[2] for host in hosts):
            return str(file)
    return ""


def _home(environment: Mapping[str, str]) -> Path:
    """The user's folder; a container's user may have none."""
    if home := environment.get("HOME"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)
