import numpy as np
import pytest

from components import hashing


@pytest.mark.parametrize("seed", [0, 1, -1, 2**64 - 1, 2**70])
def test_salts_differ_by_label_and_from_the_draw_without_labels(seed):
    salts = hashing.label_salts(seed, 1000)
    assert len({*salts.tolist(), *hashing.example_salt(seed).tolist()}) == 1001


def test_another_seed_gives_other_salts():
    assert not set(hashing.label_salts(0, 1000).tolist()) & set(hashing.label_salts(1, 1000).tolist())


def test_hashes_look_uniform_in_every_bit():
    hashes = hashing.hashes(np.arange(1 << 16, dtype=np.uint64), hashing.label_salts(3, 5)[4])
    assert len(np.unique(hashes)) == 1 << 16
    bits = (hashes[:, np.newaxis] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    # Six standard deviations of the share of ones.
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 6 * 0.5 / 256
