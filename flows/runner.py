"""Where the tasks of a flow run: threads of this process, or a Dask cluster where the site names one."""

from __future__ import annotations

from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from clinical_jepa.wiring import road


def configured() -> TaskRunner[Any]:
    """By ``[flows]``: ``runner`` "threads" or "dask", ``workers``, and ``dask_address`` of a cluster that stands already."""
    flows = road.settings().flows
    if flows.runner != "dask":
        return ThreadPoolTaskRunner(max_workers=flows.workers)
    from prefect_dask import DaskTaskRunner

    if flows.dask_address:
        return DaskTaskRunner(address=flows.dask_address)
    local = {"n_workers": flows.workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)
