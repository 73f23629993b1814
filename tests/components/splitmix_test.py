import numpy as np

from components.splitmix import hash_seed, splitmix


def test_splitmix_gives_the_published_sequence():
    # The first three numbers of splitmix64 with seed 0: its state grows by the golden ratio.
    states = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert splitmix(states).tolist() == expected


def test_splitmix_leaves_its_argument_alone():
    values = np.array([7], np.uint64)
    splitmix(values)
    assert values.tolist() == [7]


def test_seeds_of_any_sign_and_size_have_their_own_hashes():
    hashes = [int(hash_seed(seed)[0]) for seed in (0, 1, -1, 2**63, 2**32 - 1)]
    assert len(set(hashes)) == 5
    assert int(hash_seed(2**64 + 1)[0]) == hashes[1]
