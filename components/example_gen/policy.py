"""How an ingestion goes about its work: settings that decide nothing of what it gives.

They stand in a file beside the working folder, and are no parameters of the node: those would be part of its cache key,
and another limit would read all data again.
"""

import pydantic
import tensorflow as tf

from components import storage
from components.settings import StrictModel

_NOT_IN_CACHE_KEYS = "it decides when an ingestion stops, and how fast it is"


class Policy(StrictModel):
    """How an ingestion goes about its work.

    Attributes:
      max_rejected: share of the images that may be rejected; past it the ingestion stops. None: it does not.
      threads: that check images in each worker; 0: see `ImageChecker`.
    """

    max_rejected: float | None = pydantic.Field(None, ge=0, le=1)
    threads: int = pydantic.Field(0, ge=0)


def write_policy(working: str, policy: Policy) -> None:
    """Writes the policy of the node whose working folder is `working`."""
    storage.write_text(path_of(working), policy.model_dump_json(indent=1))


def read_policy(working: str | None) -> Policy:
    """Returns what `write_policy` wrote, or the defaults."""
    if not working or not tf.io.gfile.exists(path_of(working)):
        return Policy()
    return Policy.model_validate_json(storage.read_text(path_of(working)))


def path_of(working: str) -> str:
    """Returns the path of the policy of the node whose working folder is `working`."""
    return f"{working.rstrip('/')}.json"
