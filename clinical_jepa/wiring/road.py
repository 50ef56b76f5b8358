"""The road as plain functions of settings: what the command line prints and what the flows schedule.

Each returns plain dicts, so that JSON, tables and artifacts say the same.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_jepa.records.errors import BadRequest, NothingToRead
from clinical_jepa.wiring import advice, compose, tables, unrecognised
from clinical_jepa.wiring import settings as configuration
from clinical_jepa.wiring.settings import Settings

if TYPE_CHECKING:
    from clinical_jepa.evaluate.scoring import Leaderboard

Progress = Callable[[int, int], None]
GROWING_S = 600.0  # how long after its last write a file that is not whole may still be in the making, live


def settings(flags: Mapping[str, Any] | None = None, *, file: Path | None = None) -> Settings:
    """Effective settings of this process: file, environment, flags. The site's code tables are in use from here on."""
    from clinical_jepa.vocabulary import site

    found = configuration.load(os.environ, file=file, flags=flags).settings
    site.use(Path(found.site.codes) if found.site.codes else None)
    return found


def shown(file: Path | None) -> list[tuple[str, str, str]]:
    """Every key with its value and origin."""
    return configuration.shown(configuration.load(os.environ, file=file))


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal's stderr; silent elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    said = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(
        *said, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None, rate="")

        def tell(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:.3g}/s" if speed else "")

        yield tell


def simulate(
    out: Path, *, subjects: int, hours: int, seed: int, records_only: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Counts of the ward that was written."""
    from clinical_jepa.simulate.ward import simulate as write_ward

    try:
        summary = write_ward(
            out, subjects=subjects, hours=hours, seed=seed, records_only=records_only, progress=progress
        )
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return asdict(summary)


def basis(settings: Settings, *, with_model: bool = False) -> str:
    """A name for what a cached result rests on: the store's content, the code map and, if asked, the model."""
    from clinical_jepa.vocabulary.codes import code_map_hash
    from clinical_jepa.vocabulary.identity import content_id

    store = compose.store(settings)
    model = compose.policy(settings).policy_id if with_model else None
    return content_id(str(Path(settings.paths.store).resolve()), store.watermark, code_map_hash(), model)


def pretrain(
    settings: Settings,
    *,
    steps: int = 0,
    seed: int = 0,
    latent_weight: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The training report; the model lies in ``paths.model``."""
    from dataclasses import replace

    from clinical_jepa.training.run import TrainConfig
    from clinical_jepa.training.run import pretrain as train

    config = replace(TrainConfig(), seed=seed)
    if steps:
        config = replace(config, steps=steps)
    if latent_weight is not None:
        config = replace(config, latent_weight=latent_weight)
    store = compose.store(settings)
    return train(store, Path(settings.paths.model), config, subjects=None, progress=progress)


def ingest_summary(
    settings: Settings,
    sources: Sequence[Path | str],
    *,
    mode: str,
    stitch: str | None = None,
    shard: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Counts by source, in all, and of refusals by reason; ``earlier``: refusals of other runs that stand in quarantine;
    ``again``: refusals that stood there and came once more; ``unrecognised``: files that no reader takes (the first shard tells).

    Live rows carry the ward clock's time.
    """
    from dataclasses import replace

    from clinical_jepa.ingest import ingest
    from clinical_jepa.monitor.clock import wall_us
    from clinical_jepa.vocabulary.identity import printable

    if mode not in ("live", "history"):
        raise BadRequest(f"--as {mode}: live (available from now on) or history (by the sources' own times) is meant")
    store = compose.store(settings, create=True)
    report = ingest(
        [Path(source) for source in sources],
        store,
        mode="live" if mode == "live" else "history",
        # a clock starts when first asked: history has no use for the ward's
        now=compose.clock(settings).now if mode == "live" else wall_us,
        context=replace(
            compose.context(settings, Path(sources[0])),
            stitch_to=None if stitch is None else compose.instant(stitch),
            shard=shard,
            growing_s=GROWING_S if mode == "live" else None,
        ),
        prepare=compose.prepare(),
        progress=progress,
    )
    counts = {source: asdict(count) for source, count in report.sources.items()}
    return {
        "sources": counts,
        "total": asdict(report.total),
        "reasons": dict(report.reasons),
        "ignored": dict(report.ignored),
        "again": report.again,
        "empty": [printable(str(path)) for path in report.empty],
        "unrecognised": unrecognised.summary(report.found if shard[0] == 0 else {}, store.path),
        "earlier": max(0, store.refusals - report.total.rejected),
    }


def ingest_scheduled(settings: Settings, source: str, *, mode: str, shard: tuple[int, int] = (0, 1)) -> dict[str, Any]:
    """``ingest_summary`` of one source, to which an empty folder is no failure: nothing has come yet."""
    from clinical_jepa.ingest import Counts

    try:
        return ingest_summary(settings, [source], mode=mode, shard=shard)
    except NothingToRead:
        total = asdict(Counts())
        return {
            "sources": {},
            "total": total,
            "reasons": {},
            "ignored": {},
            "again": 0,
            "empty": [source],
            "unrecognised": unrecognised.summary(
                {Path(source): ()} if shard[0] == 0 else {}, Path(settings.paths.store)
            ),
            "earlier": 0,
        }


def ingest_watch(settings: Settings, sources: Sequence[Path], *, mode: str, every: float, tell: compose.Tell) -> None:
    """Ingest what is new every ``every`` seconds, until SIGTERM or Ctrl-C, which let a file under way be finished.

    A source may be empty still; ``BadRequest`` where it is not there.
    """
    from clinical_jepa.monitor.stopping import stopping

    if every <= 0:
        raise BadRequest(f"--watch {every:g}: a number of seconds above 0 is meant")
    if missing := [str(source) for source in sources if not source.exists()]:
        raise BadRequest(f"there is no {', '.join(missing)}; nothing was ingested")
    tell(f"looking every {every:g} s; Ctrl-C ends it after the files under way")
    said: dict[Path, list[str]] = {}
    with stopping() as stop:
        while not stop.is_set():
            came = {source: ingest_scheduled(settings, str(source), mode=mode) for source in sources}
            totals = [summary["total"] for summary in came.values()]
            if new := [total for total in totals if total["files"] or total["rejected"]]:
                tell(tables.text(new))
            rest = {source: unrecognised.lines(summary["unrecognised"]) for source, summary in came.items()}
            for line in (line for source in rest if rest[source] != said.get(source) for line in rest[source]):
                tell(line)
            said = rest
            stop.wait(every)


def ingest_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a source, and the sum."""
    return [{"source": source} | counts for source, counts in {**summary["sources"], "all": summary["total"]}.items()]


def ingest_text(summary: Mapping[str, Any]) -> str:
    """What came, and why something was refused."""
    said = [tables.text(ingest_rows(summary))]
    if summary["reasons"]:
        said.append("quarantined (see: clinical-jepa quarantine list); everything else was kept:")
        said += advice.lines(summary["reasons"])
    if summary["again"]:
        said.append(f"refused again as before: {summary['again']}, each kept once")
    if earlier := summary["earlier"]:
        said.append(f"in quarantine from earlier runs: {earlier} (see: clinical-jepa quarantine list)")
    said += unrecognised.lines(summary["unrecognised"])
    said += [f"nothing to read in {path}; the other sources were ingested" for path in summary["empty"]]
    return "\n".join(said)


def ingest_markdown(summaries: Sequence[Mapping[str, Any]]) -> str:
    """The artifact of the ingest flow: counts and reasons, no name of a patient or file."""
    return "\n\n".join(
        f"{tables.markdown(ingest_rows(item))}\n\nquarantined: {item['reasons'] or 'nothing'}; "
        f"{unrecognised.markdown(item['unrecognised'])}"
        for item in summaries
    )


def freshness(settings: Settings) -> list[dict[str, Any]]:
    """How old the newest row of every source is, by wall time; no name of a patient or file."""
    from clinical_jepa.monitor.clock import wall_us
    from clinical_jepa.records.instant import END, MINUTE, iso

    now = wall_us()
    return [
        {
            "source": feed.source,
            "rows": feed.rows,
            "newest": iso(feed.newest_available),
            "minutes old": round((now - feed.newest_available) / MINUTE),
        }
        for feed in compose.store(settings, create=True).feeds(END)
    ]


def fit(settings: Settings, *, progress: Progress | None = None) -> dict[str, Any]:
    """The fit report; heads and policy lie beside the model."""
    from clinical_jepa.training.fit import fit as fit_task

    return fit_task(
        compose.task(settings),
        Path(settings.paths.model),
        compose.store(settings),
        config=compose.alert_rules(settings),
        progress=progress,
    ).to_dict()


def leaderboard(
    settings: Settings,
    *,
    train_store: str | None = None,
    latent_zero: Path | None = None,
    draws: int = 1000,
    progress: Progress | None = None,
) -> Leaderboard:
    """The table on subjects that nothing was fitted on; ``train_store``: what the baselines learn from instead."""
    from clinical_jepa.evaluate.leaderboard import evaluate as compare
    from clinical_jepa.store.events import Store

    return compare(
        Path(settings.paths.model),
        compose.store(settings),
        compose.policy(settings).task,
        train_store=None if train_store is None else Store.open(train_store),
        latent_zero=latent_zero,
        draws=draws,
        progress=progress,
    )


def kept(settings: Settings, board: Leaderboard) -> dict[str, Any]:
    """The table as plain values, also written beside the model as ``leaderboard.json``."""
    content = board.to_dict() | {"lines": board.lines(), "simulated": settings.ward.simulated}
    (Path(settings.paths.model) / "leaderboard.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return content


def evaluate(settings: Settings, **options: Any) -> dict[str, Any]:
    """``leaderboard`` with these options, kept and as plain values."""
    return kept(settings, leaderboard(settings, **options))


def leaderboard_text(board: Mapping[str, Any]) -> str:
    """The table, and what it rests on."""
    return f"{tables.text(board['lines'])}\n{_rests_on(board)}"


def leaderboard_markdown(board: Mapping[str, Any]) -> str:
    """The same for an artifact."""
    return f"{tables.markdown(board['lines'])}\n\n{_rests_on(board)}"


def _rests_on(board: Mapping[str, Any]) -> str:
    return (
        f"{board['subjects']} subjects nobody learned from ({board['subjects_with_event']} with an event), "
        f"{board['anchors']} hourly anchors, prevalence {board['prevalence']:.3f}; intervals: 95%, {board['draws']} draws "
        f"of patients; bands cover {board['band_coverage']:.2f}; unfamiliar {board['unfamiliar']:.3f}"
        + ("; a simulated ward" if board["simulated"] else "")
    )
