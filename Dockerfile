# The image of a compiled pipeline's steps, and of Beam's workers. `make image` builds it; docs/deploy.md has the rest.
#
# LANE=tfx-1.21|tfx-1.16   the stack lane
# ACCELERATOR=cuda         with TensorFlow's CUDA libraries
# CODE_VERSION             the hash that the installed code has to have
ARG LANE=tfx-1.21

FROM debian:13-slim AS tfx-1.21
FROM ubuntu:22.04 AS tfx-1.16

# The system's Python is the lane's: 3.13 and 3.10.
FROM ${LANE} AS python
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*

FROM python AS dependencies
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ARG LANE
ARG ACCELERATOR
COPY setup.py .
COPY constraints/*.sh constraints/${LANE}*.txt constraints/
# setup.py reads README.md, no word of which is a dependency. What only installs or compiles is removed.
RUN touch README.md \
    && VENV=/opt/specialist EXTRAS=demo,deploy OFFLINE=1 sh constraints/setup.sh \
    && /opt/specialist/bin/pip uninstall --yes uv \
    && rm -r /opt/specialist/lib/python3*/site-packages/tensorflow/include

FROM dependencies AS wheel
COPY LICENSE README.md pyproject.toml setup.py ./
COPY components components
COPY pipeline pipeline
COPY schemas schemas
COPY trainer trainer
RUN /opt/specialist/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

FROM python AS specialist
# Group 0 and HOME serve OpenShift, which makes up a user of that group. Kubeflow's launcher copies artifacts to folders
# of `/`, which only newer releases mount (kubeflow/pipelines#10857).
RUN useradd --uid 1000 --gid 0 --create-home specialist \
    && chmod g+rwX /home/specialist \
    && install --directory --owner 1000 --group 0 --mode 775 /gcs /minio /s3
COPY --from=dependencies /opt/specialist /opt/specialist
# Google's clusters mount a GPU's driver in /usr/local/nvidia; elsewhere NVIDIA's runtime mounts what is asked for.
ENV PATH=/opt/specialist/bin:$PATH \
    HOME=/home/specialist \
    LD_LIBRARY_PATH=/usr/local/nvidia/lib64 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
# No mount: older builders do not notice that its files have changed.
COPY --from=wheel /dist /dist
ARG CODE_VERSION
RUN pip install --no-cache-dir --no-deps /dist/*.whl \
    && code=$(python -c "from components import code_version; print(code_version.hash_packages())") \
    && if [ "${CODE_VERSION:-$code}" != "$code" ]; then \
           echo "error: CODE_VERSION: $CODE_VERSION is not that of the installed code, $code" >&2; exit 1; \
       fi
LABEL org.opencontainers.image.title=specialist \
      org.opencontainers.image.description="Domain-adaptive transfer learning with specialist models" \
      org.opencontainers.image.licenses=Apache-2.0
USER 1000
WORKDIR /home/specialist

# Beam's start program, as Beam's guide to custom containers has it. Dataflow runs nothing else.
FROM apache/beam_python3.13_sdk:2.77.0 AS beam-tfx-1.21
FROM apache/beam_python3.10_sdk:2.65.0 AS beam-tfx-1.16
# hadolint ignore=DL3006
FROM beam-${LANE} AS beam

FROM specialist AS beam-worker
COPY --from=beam /opt/apache/beam /opt/apache/beam
# Else it makes an environment of its own, without what is installed in this one.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
# Dataflow mounts folders that only root may write to (pangeo-data/pangeo-docker-images#360).
# hadolint ignore=DL3002
USER 0
ENTRYPOINT ["/opt/apache/beam/boot"]

# What is built if no target is named.
FROM specialist
