"""Settings of the human study: what its page for raters is served by."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import BadSetting
from .definition import Settings, setting


def _check_port(port: int) -> None:
    if port > 65_535:
        raise BadSetting(f"port is {port}", setting="port", fix="give 0 (any free port) to 65535")


# The page's own paths: a public path that begins with one of them could not be told from it.
_OWN_PATHS = ("admin", "i", "rate", "static", "undo")


def _check_public_url(url: str) -> None:
    """An address with a scheme, a host, perhaps a path; nothing after that, and no password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or "@" in parts.netloc or any(c.isspace() for c in url):
        raise BadSetting(
            f"public_url {url!r} is not an address that a page can have",
            setting="public_url",
            fix="give https://HOST or https://HOST/PATH, as raters see it",
        )
    if (first := parts.path.split("/")[1:2]) and first[0] in _OWN_PATHS:
        raise BadSetting(
            f"public_url {url!r} has a path that begins with one of the page's own, /{first[0]}",
            setting="public_url",
            fix="put the study below another path, such as /study",
        )


@dataclass(frozen=True, kw_only=True)
class ServeSettings(Settings):
    """Serve the page on which raters vote."""

    host: str = setting("127.0.0.1", "Address of this machine to listen on.", metavar="ADDRESS")
    port: int = setting(8321, "Port to listen on (0: any that is free).", least=0, check=_check_port)
    public_url: str | None = setting(
        None,
        "The address that raters open, where a proxy stands in front: the only host that is answered then, beside this machine's own "
        "names; with https, cookies are sent encrypted alone.",
        metavar="URL",
        check=_check_public_url,
    )
    expose: bool = setting(
        False,
        "Listen on a network without --public-url (public_url= in Python): plain HTTP, which everyone on the way can read.",
    )
    behind_proxy: bool = setting(
        False, "Believe a proxy on this machine (or at --proxy) about who asks, and whether by https."
    )
    proxies: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"),
        "With --behind-proxy (behind_proxy= in Python): address of the proxy, where it is not this machine; repeatable.",
        flags=("--proxy",),
        metavar="ADDRESS",
    )
    votes_per_minute: int = setting(
        120, "The most votes (undos too) that one rater may send within a minute.", least=1
    )
    failed_links_per_minute: int = setting(
        60, "The most links that lead nowhere that one address may try within a minute.", least=1
    )

    @property
    def root_path(self) -> str:
        """The path of the public address without a slash at its end; empty where there is none."""
        return urlsplit(self.public_url or "").path.rstrip("/")

    @property
    def public_host(self) -> str | None:
        """The host of the public address, in lower case; None without one."""
        return urlsplit(self.public_url or "").hostname

    @property
    def https(self) -> bool:
        """Whether raters come by https."""
        return urlsplit(self.public_url or "").scheme == "https"


__all__ = ["ServeSettings"]
