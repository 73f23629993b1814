"""In which shard a record stands, and where: its 64-bit key decides, so that neither the runner nor its workers count.

A record goes to the shard that is its key modulo their number, and a shard is written in the order of the keys. Pure.
"""


def shard_count(total_bytes: int, shard_bytes: int = 128 << 20) -> int:
    """Returns how many shards of about `shard_bytes` hold `total_bytes`; at least one."""
    return max(1, -(-total_bytes // shard_bytes))
