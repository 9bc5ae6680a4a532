"""The HTTP side: work by hand from other machines, the balance, the figures; nothing else.

    POST /v1/orders              engineer     begin work by hand
    POST /v1/runs/{run}/beat     engineer     it lives
    POST /v1/runs/{run}/settle   engineer     it has ended
    GET  /v1/balance/{customer}  engineer, ci
    GET  /metrics                monitor
    GET  /health                 anybody      the database answers

A run belongs to the token that began it. Every refusal is a problem document, see problems.py.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import PlainTextResponse
from sqlalchemy import Engine, text

from orchestrator.contracts.read import read_customer
from orchestrator.database.engine import reading
from orchestrator.ledger import reading as ledger
from orchestrator.notify import metrics
from orchestrator.runs import hand
from orchestrator.runs.store import Run
from orchestrator.settings import Settings
from orchestrator.web import access, problems
from orchestrator.web.limits import Limits
from orchestrator.web.schema import (
    Asked,
    Balance,
    Customer,
    Ended,
    Health,
    LetIn,
    Refusal,
    RunId,
    Standing,
)
from orchestrator.web.tokens import Role, Token

Clock = Callable[[], datetime]


def create(settings: Settings, engine: Engine, clock: Clock = lambda: datetime.now(UTC)) -> FastAPI:
    """The application; `clock` gives the time of each request."""
    app = FastAPI(
        title="amc", version="1", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    problems.install(app)
    app.add_middleware(Limits)
    app.include_router(_by_hand(settings, engine, clock))
    app.include_router(_reading(settings, engine, clock))
    return app


def _by_hand(settings: Settings, engine: Engine, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1")
    Engineer = Annotated[Token, Depends(access.need(engine, clock, Role.ENGINEER))]

    @router.post(
        "/orders", status_code=201, responses=_refused(400, 401, 402, 403, 408, 409, 413, 415, 422, 503)
    )
    def orders(asked: Asked, token: Engineer) -> LetIn:
        """Begin work by hand, or be refused; the same key again gives the same run."""
        access.require_customer(token, asked.customer)
        run = hand.begin(
            settings,
            engine,
            customer=asked.customer,
            activity=asked.activity,
            servers=tuple(asked.servers),
            person=hand.Person(token.name, asked.host, token.name),
            key=f"hand:{token.name[:20]}:{asked.key}",
            urgent=asked.urgent,
            options=asked.options,
            now=clock(),
        )
        return LetIn(run=run.id, words=hand.let_in(run))

    @router.post("/runs/{run}/beat", responses=_refused(400, 401, 403, 408, 413, 415, 422))
    def beat(run: RunId, token: Engineer) -> Standing:
        """Note that it lives."""
        return _standing(hand.beat(engine, run, clock(), token.name))

    @router.post("/runs/{run}/settle", responses=_refused(400, 401, 403, 408, 413, 415, 422, 503))
    def settle(run: RunId, ended: Ended, token: Engineer) -> Standing:
        """Note how it ended; a run that has ended stays as it is."""
        recap = {server: counts.model_dump() for server, counts in ended.servers.items()}
        ending = hand.Ending(ended.status == "successful", ended.words, recap, ended.reports)
        return _standing(hand.settle(settings, engine, run, ending, now=clock(), token=token.name))

    return router


def _reading(settings: Settings, engine: Engine, clock: Clock) -> APIRouter:
    router = APIRouter()
    Reader = Annotated[Token, Depends(access.need(engine, clock, Role.ENGINEER, Role.CI))]
    Monitor = Annotated[Token, Depends(access.need(engine, clock, Role.MONITOR))]

    @router.get("/v1/balance/{customer}", responses=_refused(400, 401, 403, 422, 503))
    def balance(customer: Customer, token: Reader) -> Balance:
        """The hours of this calendar year."""
        access.require_customer(token, customer)
        contract = read_customer(settings.inventories, customer)
        now = clock()
        with reading(engine) as connection:
            found = ledger.balance(connection, contract, now)
        return Balance(
            customer=customer,
            contract=contract.number,
            year=contract.year_of(now),
            available_seconds=found.available,
            held_seconds=found.held,
            used_seconds=found.used,
        )

    @router.get("/metrics", responses=_refused(401, 403), response_class=PlainTextResponse)
    def figures(_token: Monitor) -> PlainTextResponse:
        """Figures for Prometheus."""
        return PlainTextResponse(metrics.text(settings, engine, clock()), media_type=metrics.CONTENT_TYPE)

    @router.get("/health")
    def health() -> Health:
        """Whether the database answers; 500 when it does not."""
        with reading(engine) as connection:
            connection.execute(text("SELECT 1"))
        return Health(status="ok")

    return router


def _standing(run: Run) -> Standing:
    return Standing(
        run=run.id, state=run.state.value, words=run.words, stop=run.stop, charged_seconds=run.charged
    )


def _refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse with, for its description."""
    schema = {"schema": Refusal.model_json_schema()}
    return {
        status: {"description": "Refused", "content": {problems.MEDIA_TYPE: schema}} for status in statuses
    }
