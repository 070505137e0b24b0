"""Replicates run on a Dask cluster, here one in this process, and give the same digits."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster, get_worker

from survaudit.cutpoint import nulls, selection
from survaudit.cutpoint._replicates import in_blocks


@pytest.fixture(scope="module")
def cluster() -> LocalCluster:
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options) as local, Client(local):
        yield local


def on_worker(count: int, _: np.random.Generator) -> tuple[int, str]:
    return count, str(get_worker().address)


def test_blocks_run_on_the_workers_of_the_cluster(cluster: LocalCluster) -> None:
    with joblib.parallel_config(backend="dask"):
        found = in_blocks(on_worker, 8, np.random.default_rng(1), block=1)
    addresses = {worker.worker_address for worker in cluster.workers.values()}
    assert [count for count, _ in found] == [1] * 8
    assert {address for _, address in found} <= addresses


@pytest.mark.usefixtures("cluster")
def test_a_cluster_gives_the_same_null_table() -> None:
    options = {"n": 28, "min_groups": (1, 5), "censoring": (0.4,), "replicates": 3000}
    alone = nulls.null_table(5.59, rng=np.random.default_rng(7), **options)
    with joblib.parallel_config(backend="dask"):
        assert nulls.null_table(5.59, rng=np.random.default_rng(7), **options) == alone


@pytest.mark.usefixtures("cluster")
def test_a_cluster_gives_the_same_permutation_p() -> None:
    rng = np.random.default_rng(3)
    cohort = rng.normal(size=40), rng.exponential(size=40), rng.integers(0, 2, size=40)
    alone = selection.permutation_test(*cohort, rng=np.random.default_rng(5), replicates=4000)
    with joblib.parallel_config(backend="dask"):
        assert selection.permutation_test(*cohort, rng=np.random.default_rng(5), replicates=4000) == alone
