"""``create_app``: the ward page over HTTP. Pages poll themselves; the one write is an acknowledgement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from clinical_jepa.records.errors import BadRequest, LedgerFailed
from clinical_jepa.web.access import (
    COOKIE,
    HEADERS,
    Seal,
    Session,
    clean_name,
    from_here,
    new_session,
    require_loopback,
    seal,
)
from clinical_jepa.web.config import WebConfig
from clinical_jepa.web.plain import bed_json, health_json, ward_json
from clinical_jepa.web.reader import Reader
from clinical_jepa.web.render import environment
from clinical_jepa.web.state import WardState

_LONGEST_FORM = 4096


def create_app(state: WardState, *, config: WebConfig) -> FastAPI:
    """The page of one ward. ``BadRequest`` when it is to listen beyond this machine: its only login has no password."""
    require_loopback(config.host)
    app = FastAPI(title="Ward", docs_url=None, redoc_url=None, openapi_url=None)
    page = Page(state=state, config=config)
    app.middleware("http")(_guard)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")
    for path, answer, method in page.routes():
        app.add_api_route(path, answer, methods=[method], response_model=None)
    return app


async def _guard(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse what does not come from this machine under this machine's name; add the headers to the rest."""
    client = request.client.host if request.client else ""
    if not from_here(client) or not from_here(request.headers.get("host", "")):
        return PlainTextResponse("This page answers on this machine only.\n", status_code=403, headers=HEADERS)
    response = await proceed(request)
    response.headers.update(HEADERS)
    return response


class Page:
    """The routes of one ward, which share a reader, a seal and the templates."""

    def __init__(self, *, state: WardState, config: WebConfig) -> None:
        self._state, self._config = state, config
        self._reader = Reader(state, config)
        self._seal: Seal = seal(config.secret)
        self._templates = environment(state, config)

    def routes(self) -> list[tuple[str, Callable[..., Any], str]]:
        """(path, answer, method) of everything the page serves."""
        return [
            ("/", self.beds, "GET"),
            ("/bed/{subject_id}", self.bed, "GET"),
            ("/bed/{subject_id}/image.png", self.image, "GET"),
            ("/alerts/{alert_id}/acknowledge", self.acknowledge, "POST"),
            ("/login", self.login_form, "GET"),
            ("/login", self.login, "POST"),
            ("/logout", self.logout, "POST"),
            ("/api/ward", self.api_ward, "GET"),
            ("/api/bed/{subject_id}", self.api_bed, "GET"),
            ("/health", self.api_health, "GET"),
        ]

    def beds(self, request: Request, page: int = 1) -> Response:
        """The list of beds, page by page."""
        ward = self._reader.ward()
        return self._html(request, "ward.html", ward=ward, part=ward.page(page, self._config.page_beds))

    def bed(self, request: Request, subject_id: int) -> Response:
        """One bed."""
        try:
            view = self._reader.bedside(subject_id)
        except BadRequest as problem:
            return self._html(request, "problem.html", status=404, heading="No such patient", problem=str(problem))
        said = "Acknowledged and kept." if request.query_params.get("said") == "kept" else None
        return self._html(request, "bed.html", view=view, said=said)

    def image(self, subject_id: int) -> Response:
        """The newest image of one bed as PNG."""
        content = self._reader.image(subject_id)
        if content is None:
            return PlainTextResponse("no image\n", status_code=404)
        return Response(content, media_type="image/png")

    async def acknowledge(self, request: Request, alert_id: str) -> Response:
        """A named person answers an alert."""
        session, form = self._session(request), await _form(request)
        if session is None or not session.name or not self._seal.accepts(session, form.get("token", "")):
            return self._refused(request)
        try:
            subject_id = self._reader.acknowledge(alert_id, session.name)
        except BadRequest as problem:
            return self._html(request, "problem.html", status=409, heading="Not acknowledged", problem=str(problem))
        except LedgerFailed as problem:
            return self._html(request, "problem.html", status=503, heading="Not acknowledged", problem=str(problem))
        return RedirectResponse(f"/bed/{subject_id}?said=kept", status_code=303)

    def login_form(self, request: Request, next: str = "/", problem: str | None = None) -> Response:
        """Who are you? The form is bound to a session of its own before the login."""
        session = self._session(request) or new_session("", self._state.wall())
        response = self._html(request, "login.html", session=session, next=next, problem=problem)
        self._keep(response, session)
        return response

    async def login(self, request: Request) -> Response:
        """The development login: a name, no password, on this machine only."""
        session, form = self._session(request), await _form(request)
        if session is None or not self._seal.accepts(session, form.get("token", "")):
            return self._refused(request)
        name = clean_name(form.get("name", ""))
        target = form.get("next", "/")
        if name is None:
            return self.login_form(request, target, "Give your name, 2 to 60 letters.")
        own = target.startswith("/") and not target.startswith(("//", "/\\"))
        response = RedirectResponse(target if own else "/", status_code=303)
        self._keep(response, new_session(name, self._state.wall()))
        return response

    async def logout(self, request: Request) -> Response:
        """Forget who was here."""
        session, form = self._session(request), await _form(request)
        if session is None or not self._seal.accepts(session, form.get("token", "")):
            return self._refused(request)
        response = RedirectResponse("/", status_code=303)
        response.delete_cookie(COOKIE, path="/")
        return response

    def api_ward(self) -> Response:
        """The list of beds and the health as JSON."""
        return JSONResponse(ward_json(self._reader.ward(), self._reader.health()))

    def api_bed(self, subject_id: int) -> Response:
        """One bed as JSON."""
        try:
            return JSONResponse(bed_json(self._reader.bedside(subject_id)))
        except BadRequest as problem:
            return JSONResponse({"error": str(problem)}, status_code=404)

    def api_health(self) -> Response:
        """The health as JSON; 503 when the loop gives no sign of life, so that a plain probe sees it."""
        health = self._reader.health()
        return JSONResponse(health_json(health), status_code=200 if health.live else 503)

    def _html(
        self, request: Request, template: str, *, status: int = 200, session: Session | None = None, **content: Any
    ) -> HTMLResponse:
        session = session or self._session(request) or Session(name="", nonce="", started=0)
        content |= {
            "session": session,
            "token": self._seal.form_token(session),
            "health": self._reader.health(),
            "here": request.url.path,
        }
        return HTMLResponse(self._templates.get_template(template).render(**content), status_code=status)

    def _refused(self, request: Request) -> Response:
        problem = "This form is not of your session, or the session has ended. Nothing was written; sign in again."
        return self._html(request, "problem.html", status=403, heading="Refused", problem=problem)

    def _session(self, request: Request) -> Session | None:
        return self._seal.session(request.cookies.get(COOKIE), wall=self._state.wall(), lasts_s=self._config.session_s)

    def _keep(self, response: Response, session: Session) -> None:
        cookie = self._seal.cookie(session)
        response.set_cookie(COOKIE, cookie, max_age=self._config.session_s, path="/", httponly=True, samesite="strict")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small url-encoded form; empty for anything else."""
    body = await request.body()
    plain = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if not plain or len(body) > _LONGEST_FORM:
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
