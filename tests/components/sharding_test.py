"""How many shards there are."""

import pytest

from components import sharding


@pytest.mark.parametrize(("total", "shards"), [(0, 1), (1, 1), (128 << 20, 1), ((128 << 20) + 1, 2), (1 << 40, 8192)])
def test_shard_count(total, shards):
    assert sharding.shard_count(total) == shards


def test_shard_count_of_other_sizes():
    assert sharding.shard_count(1001, shard_bytes=100) == 11
