"""Verbs of the ward: backtest, tick, watch, relay, serve. All read one ward clock."""

from __future__ import annotations

from typing import Annotated

import typer

from clinical_jepa.cli import options
from clinical_jepa.cli.options import Clock, Config, Json, Model, Store
from clinical_jepa.wiring import tables


def backtest(
    model: Model = None,
    store: Store = None,
    start: Annotated[str | None, typer.Option("--from", help="First tick; default: the store's first hour.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Last tick; default: the store's last row.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """The live path over history: alerts, burden, lead time.

    Example: clinical-jepa backtest --model demo/model --store demo/store
    """
    from clinical_jepa.wiring import road, ward

    settings = options.settings(config, paths_store=store, paths_model=model)
    with road.progress("backtest") as tell:
        report = ward.backtest(settings, start=start, end=end, progress=tell)
    options.show(report, as_json=as_json, text=lambda: tables.listing(report))


def tick(
    model: Model = None,
    store: Store = None,
    clock: Clock = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One monitoring step: forecasts and alerts. At the ward clock's last whole cadence; idempotent.

    Exit status 3: somebody got no forecast.

    Example: clinical-jepa tick --store demo/store --model demo/model --clock 2026-01-06T08:00Z
    """
    from clinical_jepa.wiring import ward

    report = ward.tick(options.settings(config, paths_store=store, paths_model=model, ward_clock=clock))
    options.show(report, as_json=as_json, text=lambda: tables.listing(ward.readable(report)))
    raise typer.Exit(3 if report["abstentions"] else 0)


def watch(
    model: Model = None,
    store: Store = None,
    clock: Clock = None,
    ticks: Annotated[int, typer.Option(help="Stop after so many ticks; 0 runs on.")] = 0,
    config: Config = None,
) -> None:
    """The live loop: tick after tick. A tick at every cadence, missed ones caught up, a heartbeat for the page.

    Example: clinical-jepa watch --store demo/store --model demo/model --clock 2026-01-06T08:00Zx60
    """
    from clinical_jepa.wiring import ward

    settings = options.settings(config, paths_store=store, paths_model=model, ward_clock=clock)
    ward.watch(settings, ticks=ticks, tell=options.note)


def relay(
    store: Store = None,
    webhook: Annotated[str | None, typer.Option(help="Address to post to; default: a file in the store.")] = None,
    clock: Clock = None,
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due and stop.")] = False,
    config: Config = None,
) -> None:
    """The delivery worker: alerts to their receiver. What ticks committed arrives at least once,
    and each key is counted once there.

    Example: clinical-jepa relay --store demo/store --webhook http://127.0.0.1:9000/alerts
    """
    from clinical_jepa.wiring import delivery

    settings = options.settings(config, paths_store=store, ward_clock=clock, delivery_webhook=webhook)
    print(delivery.relay(settings, once=once, tell=options.note))


def serve(
    store: Store = None,
    model: Model = None,
    clock: Clock = None,
    host: Annotated[
        str | None, typer.Option(help="Address to bind; the development login exists on loopback only.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port (default: 8417).")] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Start the loop and the delivery worker too, and end them with the page.")
    ] = False,
    config: Config = None,
) -> None:
    """The ward page, for a browser. With --live the whole ward: loop, delivery and page as three processes.

    Example: clinical-jepa serve --live --store demo/store --model demo/model --clock 2026-01-06T08:00Zx60
    """
    from clinical_jepa.wiring import page

    settings = options.settings(
        config, paths_store=store, paths_model=model, ward_clock=clock, web_host=host, web_port=port
    )
    page.serve(settings, live=live, tell=options.note)
