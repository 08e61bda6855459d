"""The application that uvicorn serves: FastAPI for what people and machines look at, the bare API for NGSI-LD.

FastAPI has the documentation, the health checks, the metrics and the territory's @context. Requests below
`/ngsi-ld/v1` go past it, straight to `broker.api`: a route of FastAPI costs more than the whole of a retrieve.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fastapi_offline
import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

import data_models
from broker import version
from broker.api.application import Api, Send
from broker.api.openapi import document
from broker.api.request import Receive, Scope
from broker.api.response import ROOT
from broker.api.snapshot_queries import QueryReader
from broker.services import Services, serving
from broker.settings import Settings

_PREFIX = f"{ROOT}/"
_PAGES = "/docs/pages"


class Application(FastAPI):
    """Hands requests below `/ngsi-ld/v1` to the API and everything else to FastAPI."""

    api: Api | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection (ASGI)."""
        if self.api is not None and scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            await self.api(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def leave(self) -> None:
        """Has the answers that go on for ever end, so that the server can."""
        if self.api is not None:
            self.state.services.streams.leave()

    def openapi(self) -> dict[str, Any]:
        """The document that `/openapi.json` gives and `/docs` shows: that of the NGSI-LD API."""
        return document()


def application(settings: Settings) -> Application:
    """The application; MongoDB is reached and the change log followed from its start-up to its shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving(settings) as services:
            app.state.services = services
            if isinstance(app, Application):
                app.api = Api(services)
            await services.snapshots.start(QueryReader(services))
            yield

    app = Application(title="Beffroi", version=version(), lifespan=lifespan, docs_url=None, redoc_url=None)
    # From here and not from elsewhere in the internet, which many a municipality's servers do not reach.
    app.mount(_PAGES, StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Beffroi",
            swagger_js_url=f"{_PAGES}/swagger-ui-bundle.js",
            swagger_css_url=f"{_PAGES}/swagger-ui.css",
            swagger_favicon_url=f"{_PAGES}/favicon.png",
        )

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/docs")

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready", include_in_schema=False)
    async def ready() -> Response:
        return await _readiness(app.state.services)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get(data_models.CONTEXT_PATH, include_in_schema=False)
    async def territory_context() -> Response:
        headers = {"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"}
        return Response(orjson.dumps(data_models.context()), media_type="application/ld+json", headers=headers)

    return app


async def _readiness(services: Services) -> Response:
    try:
        await services.mongo.admin.command("ping")
    except Exception as error:
        return Response(f"the database is away: {error}", status_code=503, media_type="text/plain")
    return Response("ready", media_type="text/plain")
