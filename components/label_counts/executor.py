"""Writes the label counts and the vocabulary."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components import storage
from components.artifacts import label_counts, vocabulary


class Executor(base_executor.BaseExecutor):
    """See `components.label_counts.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        counts = label_counts.loads(exec_properties["text"])
        for key, name, content in (
            ("counts", label_counts.FILE_NAME, label_counts.dumps(counts)),
            ("vocabulary", vocabulary.FILE_NAME, vocabulary.dumps(vocabulary.make_vocabulary(list(counts)))),
        ):
            storage.write_text(os.path.join(artifact_utils.get_single_uri(output_dict[key]), name), content)
