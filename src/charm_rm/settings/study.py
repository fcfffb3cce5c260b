"""Settings of the human study: what is planned and assumed, and how its page for raters is served."""

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


def _check_share(value: float) -> None:
    if value > 1:
        raise BadSetting(f"{value:g} is no share", fix="give a number from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class StudyPlanSettings(Settings):
    """Which comparisons people are asked about, how many, and what is assumed where the votes are not yet there."""

    comparisons: int | None = setting(
        None,
        "How many comparisons to choose (default: 400, or all there are).",
        least=1,
        below=1e9,
        metavar="N",
    )
    votes: int | None = setting(
        None,
        "How many votes there will be: as many comparisons as they suffice for.",
        least=1,
        below=1e9,
        metavar="N",
    )
    width: float | None = setting(
        None,
        "As many comparisons as give the difference of two models (of one: its agreement) a 95 % interval of ± this, in shares: 0.03.",
        above=0,
        below=1,
        metavar="SHARE",
    )
    random_share: float = setting(
        0.3,
        "Share of the comparisons that is chosen at random from all; the rest is chosen where the models disagree.",
        above=0,
        check=_check_share,
    )
    balance: float = setting(
        0.5,
        "Of the comparisons chosen for disagreement: 0 takes pairs of policies as often as the models disagree on them, 1 equally often.",
        least=0,
        check=_check_share,
    )
    policies: tuple[str, ...] = setting(
        (),
        "Compare only this policy's answers, and those of others named so; repeatable.",
        flags=("--policy",),
    )
    keep_self_naming: bool = setting(
        False, 'Keep answers that name their policy or its maker ("I am Claude, made by Anthropic").'
    )
    votes_per_comparison: int = setting(1, "Raters who are to vote on each comparison.", least=1, below=1_000)
    overlap: float = setting(
        0.2,
        "Share of the comparisons that one more rater votes on: it shows how far people agree with one another.",
        least=0,
        check=_check_share,
    )
    raters: int = setting(5, "Raters you expect.", least=1, below=100_000)
    repeats: float = setting(
        0.05, "Share of what a rater sees that comes a second time, sides swapped.", least=0, below=0.5
    )
    checks: float = setting(
        0.05,
        "Share of what a rater sees that are attention checks, whose right answer is known.",
        least=0,
        below=0.5,
    )
    question: str = setting("Which answer is better?", "What stands above the two answers.")
    seed: int = setting(0, "Seed of the choice, of the order, and of the sides.", least=0)
    expected_agreement: float = setting(
        0.65,
        "Assumed for the power analysis: how often a model agrees with people.",
        least=0,
        check=_check_share,
    )
    ties: float = setting(0.2, "Assumed: the share of votes that choose neither side.", least=0, below=1)
    rater_agreement: float = setting(
        0.7, "Assumed: how often two raters who choose a side choose the same.", least=0.5, check=_check_share
    )
    prompt_icc: float = setting(
        0.02, "Assumed: correlation of two votes on the same prompt.", least=0, below=1
    )
    rater_icc: float = setting(0.01, "Assumed: correlation of two votes of the same rater.", least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [name for name in ("comparisons", "votes", "width") if getattr(self, name) is not None]
        if len(given) > 1:
            raise BadSetting(
                f"{' and '.join(given)} say the same thing: how many comparisons",
                fix="give one of comparisons, votes and width",
            )
        if not self.question.strip():
            raise BadSetting(
                "the question is empty", setting="question", fix="ask, say, 'Which answer is better?'"
            )


__all__ = ["ServeSettings", "StudyPlanSettings"]
