"""The one way to ask a server: below the allowed bases, without redirects, patient as told, whole answers only.

No message of this module holds a path, a query, a header or a body: they may name a patient or be a secret.
"""

from __future__ import annotations

import logging
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import httpx
import orjson

from clinical_jepa.intake.allowed import require, require_secrecy
from clinical_jepa.intake.waiting import PASSING, Manners, told
from clinical_jepa.records.errors import FetchFailed


class Bearer(Protocol):
    """Where access tokens come from."""

    def token(self, *, refused: str | None = None) -> str:
        """A token that is good for a while yet, and another than ``refused``."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """``tokens`` None: nothing is said of who asks. ``sleep`` and ``clock`` count seconds."""

    client: httpx.Client
    bases: tuple[str, ...]
    manners: Manners = field(default_factory=Manners)
    tokens: Bearer | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, kw_only=True)
class Question:
    """``what`` names it in messages; ``fine`` are the statuses that end it; ``content`` is made anew for each try.

    ``whole`` says whether the body is complete, where HTTP itself cannot tell. ``more`` are headers made anew for each try.
    ``raw``: the bytes are wanted as they travel.
    """

    url: str
    what: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], bytes] | None = None
    fine: frozenset[int] = frozenset({200})
    authorised: bool = True
    whole: Callable[[bytes], bool] | None = None
    more: Callable[[], Mapping[str, str]] = dict
    raw: bool = False


@dataclass(frozen=True, kw_only=True)
class Answer:
    """``body`` is decoded, and empty where it went into a file."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class _Trouble:
    """Why a try was in vain, and for how long the server wants to be left alone."""

    why: str
    told_s: float | None = None
    status: int = 0


class Refused(FetchFailed):
    """The server answered, with a status that waiting does not change."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unanswered(FetchFailed):
    """Patience is at its end. ``status`` is the last one; 0 where there was no answer at all."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def client(manners: Manners, *, ca_file: str = "") -> httpx.Client:
    """A client that follows no redirect and heeds no proxy of the environment. ``ca_file``: the site's own authority."""
    import ssl

    for name in ("httpx", "httpcore"):  # at lower levels they write addresses and headers into logs
        logging.getLogger(name).setLevel(logging.WARNING)
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    return httpx.Client(timeout=manners.timeout_s, follow_redirects=False, trust_env=False, verify=verify)


# makes the file that a body goes into, by status and headers; anew for each try
Opens = Callable[[int, Mapping[str, str]], BinaryIO]


def ask(door: Door, question: Question, into: Opens | None = None) -> Answer:
    """The answer with one of the ``fine`` statuses, its body in the file that ``into`` opens where that is given.

    ``BadRequest`` for an address that is not allowed, ``Refused`` for a status that waiting does not change, ``FetchFailed``
    when patience is at its end.
    """
    require(question.url, door.bases)
    failures = waits = 0
    token = None
    if door.tokens is not None and question.authorised:
        require_secrecy(question.url)
        token = door.tokens.token()
    renewed = False
    while True:
        outcome = _once(door, question, token, into)
        if isinstance(outcome, Answer):
            if outcome.status in question.fine:
                return outcome
            if outcome.status == 401 and token is not None and door.tokens is not None and not renewed:
                token, renewed = door.tokens.token(refused=token), True
                continue
            if outcome.status == 401:  # whatever is asked next, it is not answered either
                raise FetchFailed(_refusal(question, outcome))
            raise Refused(_refusal(question, outcome), outcome.status)
        failures, waits = failures + (outcome.told_s is None), waits + (outcome.told_s is not None)
        _wait(door, question, outcome, failures=failures, waits=waits)


def host(url: str) -> str:
    """Whom a message may name."""
    return urlsplit(url).hostname or "a server"


def _wait(door: Door, question: Question, trouble: _Trouble, *, failures: int, waits: int) -> None:
    manners = door.manners
    seconds = manners.backoff(failures) if trouble.told_s is None else trouble.told_s
    if failures >= manners.tries or waits > manners.told_waits or seconds > manners.longest_wait_s:
        told_so = f", and asks to be left alone for {seconds:.0f} s" if trouble.told_s is not None else ""
        raise Unanswered(
            f"{question.what}: {host(question.url)} {trouble.why}{told_so} (tried {failures + waits} times). "
            "What had come is kept; run the same command again later",
            trouble.status,
        )
    door.sleep(seconds)


def _refusal(question: Question, answer: Answer) -> str:
    codes = issue_codes(answer.body)
    advice = {
        301: "; redirects are not followed: list the address that is meant",
        401: "; the credentials are not accepted",
        403: "; the client may not read this",
    }
    status = 301 if 300 <= answer.status < 400 else answer.status
    said = f" ({', '.join(codes)})" if codes else ""
    return f"{question.what}: {host(question.url)} answered {answer.status}{said}{advice.get(status, '')}"


def issue_codes(body: bytes) -> list[str]:
    """The codes of an OperationOutcome's issues, or of an OAuth error; never their texts, which may name a patient."""
    try:
        outcome = orjson.loads(body)
        codes = [issue["code"] for issue in outcome.get("issue", [])] + [outcome.get("error")]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return []
    return sorted({code for code in codes if isinstance(code, str) and re.fullmatch(r"[a-z_-]{1,40}", code)})


def _once(door: Door, question: Question, token: str | None, into: Opens | None) -> Answer | _Trouble:
    encoding = {"Accept-Encoding": "identity" if question.raw else "gzip"}
    headers = {**encoding, **question.headers, **question.more()}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    content = None if question.content is None else question.content()
    try:
        with door.client.stream(question.method, question.url, headers=headers, content=content) as response:
            return _received(door, question, response, into)
    except httpx.InvalidURL:
        raise Refused(f"{question.what}: the server names an address that cannot be asked", 0) from None
    except httpx.TransportError as error:
        return _Trouble(why=f"could not be read ({type(error).__name__})")
    except Broken as error:
        return _Trouble(why=f"sent an answer that {error}")


class Broken(Exception):
    """An answer that is not what its own headers say; it is asked for again."""


def _received(door: Door, question: Question, response: httpx.Response, into: Opens | None) -> Answer | _Trouble:
    status, headers = response.status_code, {key.lower(): value for key, value in response.headers.items()}
    if status in PASSING and status not in question.fine:
        return _Trouble(why=f"answers {status}", told_s=told(headers), status=status)
    coded = {} if question.raw else headers
    chunks = _decoded(response, coded, until=door.clock() + door.manners.answer_s, clock=door.clock)
    if into is not None and status in question.fine:
        with into(status, headers) as file:
            _write(chunks, file)
        return Answer(status=status, headers=headers)
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > door.manners.most_bytes:
            raise FetchFailed(f"{question.what}: {host(question.url)} sent more than {door.manners.most_bytes} bytes")
    if status in question.fine and question.whole is not None and not question.whole(bytes(body)):
        return _Trouble(why="sent an answer that breaks off, or is of another kind")
    return Answer(status=status, headers=headers, body=bytes(body))


def _write(chunks: Iterator[bytes], file: BinaryIO) -> None:
    for chunk in chunks:
        file.write(chunk)


def _decoded(
    response: httpx.Response, headers: Mapping[str, str], *, until: float, clock: Callable[[], float]
) -> Iterator[bytes]:
    """The body's bytes, gzip undone; raises where they end before gzip does, or come too slowly."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", ""):
        raise Broken("is encoded in a way that was not asked for")
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    for raw in response.iter_raw():
        if clock() > until:
            raise Broken("comes too slowly")
        try:
            yield raw if unzip is None else unzip.decompress(raw)
        except zlib.error as error:
            raise Broken("cannot be decompressed") from error
    if unzip is not None and not unzip.eof:
        raise Broken("ends before its compression does")
