"""One careful client for all servers: bounded, patient with what passes, quick to say what does not.

Tried again, with a pause that grows and varies: connection errors, timeouts, dropped connections, statuses 408, 409,
425, 429 and 5xx, and answers that are not what was asked for. Anything else is a typed error at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import tenacity

from ..errors import ConfigError, RemoteError, RemoteRefused
from .addresses import checked_key, checked_url, is_local, key_in, same_server
from .certificates import trusted
from .limits import Gate, retry_after, used_up_for
from .parsing import parse_json
from .patience import Patience, Tries
from .problems import BadRequest, Malformed, Transient, excerpt, message_of, refusal
from .secret import Secret, discreet_logs
from .unpacking import TooLong, Unpacker

T = TypeVar("T")

_AGAIN = frozenset({408, 409, 425, 429})
_NEVER = frozenset({501, 505})
_CROWDED = frozenset({429, 503, 529})
_ITEM_FAULTS = frozenset({400, 413, 422})
_MOST_REDIRECTS = 3
_LONGEST_PLACE = 200
_CONNECT_SECONDS = 15.0
# About how many bytes of a request make one token.
_BYTES_PER_TOKEN = 4


class Client:
    """What is known of a server between requests; :meth:`session` talks with it.

    Args:
        base_url: http or https, without user name, password, query or fragment.
        api_key_env: name of the environment variable that holds the key, read when a session opens; None: no key.
        concurrency: most requests at once.
        timeout: seconds that one try of a request may take, however slowly its answer drips.
        patience: how failed tries are repeated.
        max_bytes: longest answer.

    Raises:
        ConfigError: one of them is not usable, or the key that a server must have is not set (:func:`~.addresses.checked_key`).
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key_env: str | None = None,
        concurrency: int = 8,
        timeout: float = 120.0,
        patience: Patience | None = None,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        self.base_url = checked_url(base_url)
        if concurrency < 1 or timeout <= 0:
            raise ConfigError(
                f"concurrency {concurrency} and timeout {timeout:g} s are not usable",
                fix="give at least 1 request at once and more than 0 seconds",
            )
        self.key_variable = api_key_env
        checked_key(self.base_url, api_key_env)
        self.concurrency = concurrency
        self.timeout = timeout
        self.patience = patience or Patience()
        self.max_bytes = max_bytes
        self.requests = 0
        self.retries = 0
        self._limit = float(concurrency)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Open connections for a block; how hard the server may be pressed is remembered from block to block."""
        key = key_in(self.key_variable)
        # A proxy from the environment is not for this machine's own servers.
        environment = not is_local(self.base_url)
        async with httpx.AsyncClient(
            headers={"user-agent": "charm-rm", "accept-encoding": "gzip, deflate"}
            | ({"authorization": f"Bearer {key}"} if key else {}),
            timeout=httpx.Timeout(self.timeout, connect=min(_CONNECT_SECONDS, self.timeout), pool=None),
            limits=httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency),
            follow_redirects=False,
            trust_env=environment,
            verify=trusted(environment=environment),
        ) as http:
            gate, secret = Gate(self.concurrency, self.patience.clock, limit=self._limit), Secret(key)
            try:
                with discreet_logs(secret):
                    yield Session(self, http, gate, secret)
            finally:
                self._limit = gate.limit


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    payload: Any
    body: bytes | None


class Session:
    """Open connections to one server; ``secret`` is the key that they carry."""

    def __init__(self, client: Client, http: httpx.AsyncClient, gate: Gate, secret: Secret) -> None:
        self._client = client
        self._http = http
        self._gate = gate
        self.secret = secret

    async def get(self, path: str, read: Callable[[Any], T]) -> T:
        """Ask for ``path`` and ``read`` its JSON; see :meth:`post`."""
        try:
            return await self._patiently(_Call("GET", path, None, None), read)
        except BadRequest as bad:
            raise bad.error from None

    async def post(self, path: str, payload: Any, read: Callable[[Any], T]) -> T:
        """Send ``payload`` as JSON and ``read`` the answer's JSON.

        Args:
            path: below the base URL, with its slash.
            payload: what JSON can hold.
            read: takes what it needs out of the answer, or raises :class:`~.problems.Malformed` to have it asked again.

        Raises:
            BadRequest: the server cannot use this one request; the caller may know why.
            RemoteRefused: it refuses for good.
            RemoteError: it did not answer as it should for all that was tried.
        """
        body = json.dumps(payload, allow_nan=False).encode("ascii")
        return await self._patiently(_Call("POST", path, payload, body), read)

    # --- many tries -----------------------------------------------------------------------------

    async def _patiently(self, call: _Call, read: Callable[[Any], T]) -> T:
        tries = Tries(self._client.patience)

        def before_sleep(state: tenacity.RetryCallState) -> None:
            self._client.retries += 1
            if tries.last.crowded:
                self._gate.pause(state.upcoming_sleep)

        retrying = tenacity.AsyncRetrying(
            wait=tries.wait,
            stop=tries.stop,
            retry=tenacity.retry_if_exception_type(Transient),
            before_sleep=before_sleep,
            sleep=tries.sleep,
            reraise=True,
        )
        try:
            return await retrying(self._once, call, read, tries)
        except Transient:
            raise tries.exhausted(self._url(call)) from None

    # --- one try --------------------------------------------------------------------------------

    async def _once(self, call: _Call, read: Callable[[Any], T], tries: Tries) -> T:
        async with self._gate.slot() as step:
            self._client.requests += 1
            try:
                with tries.timed():
                    status, headers, body = await self._send(call)
                answer = read(self._judge(call, status, headers, body))
            except Transient as problem:
                tries.last = problem
                if problem.crowded:
                    self._gate.narrow(step)
                raise
            self._gate.widen()
            return answer

    async def _send(self, call: _Call) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and body; what the network did to it as :class:`Transient`."""
        try:
            async with asyncio.timeout(self._client.timeout):
                return await self._exchange(call)
        except (TimeoutError, httpx.TimeoutException):
            raise Transient(f"no answer within {self._client.timeout:g} s") from None
        except httpx.TransportError as error:
            if _is_certificate_error(error):
                raise RemoteError(
                    "the server's certificate is not trusted",
                    where=self._url(call),
                    fix="check the address, or name the certificate's authority in SSL_CERT_FILE",
                ) from None
            raise Transient(_network_words(error)) from None
        except httpx.DecodingError:
            raise Malformed("the answer's compression is broken") from None
        except (
            ValueError,
            httpx.InvalidURL,
        ):  # from within the library: a length of 5,000 digits, a place that is none
            raise Transient("the answer breaks the rules of HTTP") from None

    async def _exchange(self, call: _Call) -> tuple[int, httpx.Headers, bytes]:
        url = httpx.URL(self._url(call))
        for _ in range(_MOST_REDIRECTS + 1):
            headers = {"content-type": "application/json"} if call.body is not None else {}
            async with self._http.stream(call.method, url, content=call.body, headers=headers) as response:
                if not response.has_redirect_location:
                    return response.status_code, response.headers, await self._read(call, response)
                url = self._redirected(call, response)
        raise RemoteError("the server redirects in a circle", where=self._url(call), fix="check the base URL")

    def _redirected(self, call: _Call, response: httpx.Response) -> httpx.URL:
        """Where a redirect leads: on the same server alone, as key and texts go with the request."""
        try:
            target = response.url.join(response.headers["location"])
            place = str(target.copy_with(path="/", query=None, fragment=None, userinfo=b"")).rstrip("/")
        except (httpx.InvalidURL, ValueError):
            target, place = None, "no usable address"
        if target and same_server(response.url, target) and response.status_code in (307, 308):
            # A user name in it would take the key's place in the request.
            if not target.userinfo:
                return target
            place += " with a user name"
        raise RemoteRefused(
            f"the server redirects to {self.secret.hidden(place[:_LONGEST_PLACE])}; neither key nor texts are sent there",
            status=response.status_code,
            where=self._url(call),
            fix="name that address as the base URL if you trust it",
        )

    async def _read(self, call: _Call, response: httpx.Response) -> bytes:
        unpacker = Unpacker(response.headers.get("content-encoding", ""), most=self._client.max_bytes)
        try:
            parts = [unpacker.take(part) async for part in response.aiter_raw()]
        except TooLong:
            raise RemoteError(
                f"the answer is longer than {self._client.max_bytes:,} bytes",
                where=self._url(call),
                fix="check that this is the right server",
            ) from None
        unpacker.end()
        return b"".join(parts)

    def _judge(self, call: _Call, status: int, headers: httpx.Headers, body: bytes) -> Any:
        """The answer's JSON, or the error that the status stands for."""
        wall = self._client.patience.clock.wall()
        if status < 300:
            self._gate.pause(used_up_for(headers, size=len(call.body or b"") // _BYTES_PER_TOKEN, wall=wall))
            return self._json(call, body)
        lasting = status == 429 and "insufficient_quota" in body[:2000].decode("utf-8", "replace")
        if (status in _AGAIN or status >= 500) and status not in _NEVER and not lasting:
            said = excerpt(body, payload=call.payload, secret=self.secret)
            raise Transient(
                f"status {status}{': ' + said if said else ''}",
                wait=retry_after(headers, wall=wall),
                crowded=status in _CROWDED,
            )
        error = refusal(
            status,
            body,
            where=self._url(call),
            payload=call.payload,
            secret=self.secret,
            key_variable=self._client.key_variable,
        )
        raise BadRequest(error, message_of(body)) if status in _ITEM_FAULTS else error

    def _json(self, call: _Call, body: bytes) -> Any:
        try:
            value = parse_json(body)
        except ValueError as error:
            if body and not isinstance(error, (json.JSONDecodeError, UnicodeDecodeError)):
                raise Malformed(f"the answer is not JSON that can be used: {error}") from None
            said = excerpt(body, payload=call.payload, secret=self.secret)
            raise Malformed(f"the answer is not JSON: {said or 'it is empty'}") from None
        if isinstance(value, dict) and value.get("error"):
            raise Malformed(
                f"an error in place of an answer: {excerpt(body, payload=call.payload, secret=self.secret)}"
            )
        return value

    def _url(self, call: _Call) -> str:
        return self._client.base_url + call.path


def _is_certificate_error(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _network_words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "no connection (refused, or the name is unknown)"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the server closed the connection, or does not speak HTTP"
    return f"the connection broke ({type(error).__name__})"
