"""What a report may show."""

from typing import Literal

from components.settings import StrictModel


class Report(StrictModel):
    """What the report at the end of a run or a comparison shows.

    Attributes:
      images: of which data the report has thumbnails, for whoever gets it sees them. `all`; `source`: none of the
        targets' images; `none`. On a cluster, the step reads the data of which it shows any.
    """

    images: Literal["all", "source", "none"] = "all"
