"""What the process of a report imports: its memory is mostly that."""

import subprocess
import sys

import pytest

HEAVY = {"apache_beam", "tensorflow_data_validation", "tensorflow_model_analysis", "tfx.components"}


@pytest.mark.slow
@pytest.mark.parametrize("module", ["run", "comparison"])
def test_a_report_imports_nothing_of_the_other_components(module):
    code = f"import pipeline.report.{module}, sys; print('loaded:', *{HEAVY} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "loaded:"
