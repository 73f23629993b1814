"""What the Pusher has to know of an endpoint of Vertex AI."""

from components.settings import StrictModel


class VertexEndpoint(StrictModel):
    """An endpoint, and the model in the Model Registry whose versions it serves.

    Attributes:
      project: of Google Cloud.
      region: of Vertex AI.
      name: the id of both resources, the endpoint and the model.
      image: the container that serves.
      machine_type: of Vertex AI.
      accelerator_type: a name of Vertex AI's AcceleratorType; None: there is none.
      accelerator_count: how many a machine has.
      min_replicas: number of machines that always serve.
      max_replicas: number of machines that serve under load.
      encryption_key: full name of the key that encrypts both resources; None: Google's.
      credentials_file: path of a service account's key; None: the credentials that the machine gives.
    """

    project: str
    region: str
    name: str
    image: str
    machine_type: str
    accelerator_type: str | None = None
    accelerator_count: int = 0
    min_replicas: int = 1
    max_replicas: int = 1
    encryption_key: str | None = None
    credentials_file: str | None = None
