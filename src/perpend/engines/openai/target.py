"""What an engine string says: which servers, and which model."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass

from yarl import URL

from perpend.core import ConfigError

DEFAULT_URL = "https://api.openai.com/v1"
HOST = re.compile(r"(localhost|\d+(\.\d+){3}|[\w.-]+(?=:))(:\d{2,5})?(/.*)?")
"""What is an address without its http://, and no model's name: localhost, numbers with dots, or a name with a port."""


@dataclass(frozen=True)
class Target:
    """The servers' URLs (replicas of one another), and the model; None: the only one that they serve."""

    urls: tuple[str, ...]
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `URL#MODEL`, `URL,URL#MODEL`, `URL`, or `MODEL` alone (at `OPENAI_BASE_URL`). Raises ConfigError."""
        addresses, _, model = text.strip().partition("#")
        if "://" not in addresses:
            _refuse_host(addresses)
            model = model or addresses
            addresses = os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
        urls = tuple(dict.fromkeys(_url(part.strip()) for part in addresses.split(",") if part.strip()))
        return cls(urls, model.strip() or None)

    @property
    def hosted(self) -> bool:
        """Whether any server is out on the network, and so likely to bill: by its address, not by a private one."""
        return not all(_is_private(URL(url).host or "") for url in self.urls)


def _is_private(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host  # localhost, or a machine of one's own network


def _refuse_host(text: str) -> None:
    """Raise ConfigError where a model's name is the address of a server: it would be asked for elsewhere."""
    if HOST.fullmatch(text.partition(",")[0]):
        raise ConfigError(f"{text} is a server's address, not a model's name.", f"Write http://: openai:http://{text}.")


def _url(text: str) -> str:
    """An address up to its version; without a path it gets the usual `/v1`."""
    remedy = "Write openai:http://HOST:PORT/v1#MODEL; the API key comes from PERPEND_API_KEY or OPENAI_API_KEY."
    try:
        url = URL(text)
    except ValueError:
        raise ConfigError("An engine's address cannot be read.", remedy) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"An engine's address begins with {url.scheme or 'nothing'}, not http or https.", remedy)
    if url.user or url.password or url.query_string:
        raise ConfigError(f"The address of {url.host} holds a password or a query, which would be stored.", remedy)
    return str(url if url.path.strip("/") else url / "v1").rstrip("/")
