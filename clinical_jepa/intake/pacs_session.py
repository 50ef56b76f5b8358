"""The one way in which a PACS is asked: below the allowed bases, no redirect followed, whole answers of bounded size.

A ``requests`` session, as ``dicomweb-client`` wants one. No message holds a path, a query or a body.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

from clinical_jepa.intake.allowed import require, require_secrecy
from clinical_jepa.intake.waiting import PASSING, Manners, told
from clinical_jepa.records.errors import BadRequest, FetchFailed

MANNERS = Manners(longest_wait_s=300.0, most_bytes=2 << 30)
_AWAY = (401, 403, 429, 503)  # whatever else is asked of it now will fare no better
_Got = TypeVar("_Got")


class ServerAway(FetchFailed):
    """The server cannot be reached, refuses us, or has no time: nothing more is asked of it in this run."""


class PacsSession(requests.Session):
    """Refuses any address outside ``bases``; ``token`` goes as a bearer's, and nowhere else.

    ``ca_file``: the authorities that are believed in place of the usual ones.
    """

    def __init__(self, bases: tuple[str, ...], token: str = "", ca_file: str = "") -> None:
        """Reads neither proxies nor passwords from the surroundings."""
        super().__init__()
        self.trust_env = False
        if ca_file and not Path(ca_file).is_file():
            raise BadRequest(f"pacs.ca_file: there is no {ca_file}; nothing was asked")
        self.verify = ca_file or True
        self._bases = bases
        self.accept: str | None = None  # in place of what a caller accepts
        self.last: requests.Response | None = None
        if token:
            self.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> requests.Response:
        """One answer, read to its end; ``BadRequest`` for a foreign address or a redirect."""
        address = require(url if isinstance(url, str) else url.decode(), self._bases)
        if "Authorization" in self.headers:
            require_secrecy(address)
        if self.accept is not None:
            options["headers"] = {**(options.get("headers") or {}), "Accept": self.accept}
        verb = method if isinstance(method, str) else method.decode()
        response = super().request(verb, address, *args, **options | {"allow_redirects": False, "stream": True})
        if response.is_redirect:
            response.close()
            raise BadRequest(
                "the server answered with a redirect, and none is followed; give the base that it points to"
            )
        body = bytearray()
        for chunk in response.iter_content(1 << 20):
            body += chunk
            if len(body) > MANNERS.most_bytes:
                response.close()
                raise FetchFailed(f"an answer of more than {MANNERS.most_bytes >> 20} MB was not read to its end")
        response._content = bytes(body)  # what ``content`` would have read, without a bound
        self.last = response
        return response


def patiently(call: Callable[[], _Got], sleep: Callable[[float], None] = time.sleep) -> _Got:
    """The result of ``call``: again after a lost connection, a short answer or a busy server, each time later.

    ``FetchFailed`` when it fails to the end or at once where asking again is no use; ``ServerAway`` where that holds for
    every other question too.
    """
    failed, away = "", True
    for attempt in range(1, MANNERS.tries + 1):
        wait = MANNERS.backoff(attempt)
        try:
            return call()
        except requests.HTTPError as error:
            answer = error.response
            status = 0 if answer is None else answer.status_code
            if answer is None or status not in PASSING:
                raise (ServerAway if status in _AWAY else FetchFailed)(_said(status)) from None
            asked = min(told(answer.headers) or 0.0, MANNERS.longest_wait_s)
            failed, away, wait = _said(status), status in _AWAY, max(wait, asked)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            failed, away = f"the server cannot be reached or broke off ({type(error).__name__})", True
        except ValueError:  # neither JSON nor multipart
            failed, away = "the server's answer is not what DICOMweb says it is", False
        if attempt < MANNERS.tries:
            sleep(wait)
    kept = "What had come is kept, and the next run goes on from there"
    raise (ServerAway if away else FetchFailed)(f"{failed}; asked {MANNERS.tries} times. {kept}")


def _said(status: int) -> str:
    if status in (401, 403):
        return f"the server refuses us ({status}): renew CLINICAL_JEPA_PACS_TOKEN in the environment"
    return f"the server answered {status}"
