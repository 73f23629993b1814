import pytest
from apache_beam.options import pipeline_options as options
from apache_beam.runners import runner as runners

import components.watched_runner  # noqa: F401 - its options are known then
from pipeline.config.load import load

DEMO = "pipeline/configs/demo.yaml"
POOL = "job_endpoint: 'jobs:8099', worker_pool: 'workers:50000'"
FLINK = "runner: flink, master: 'flink:8081', job_server_jar: /opt/flink.jar, staging: /mnt/staging, image: i"


def find(text: str, node: str = "digits-examples", component: str = "TargetExampleGen"):
    remote = (
        "remote={root: gs://bucket/runs, image: registry/specialist, project: pets, region: europe-west4, beam: %s}"
    )
    return load(DEMO, [remote % text]).require_remote().runner_of(node, component)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {"direct_running_mode": "in_memory", "direct_num_workers": 1}),
        ("{runner: multi_processing}", {"direct_running_mode": "multi_processing", "direct_num_workers": 0}),
        ("{runner: multi_processing, workers: 3}", {"direct_num_workers": 3, "sdk_container_image": "none"}),
        (
            f"{{runner: portable, {POOL}, parallelism: 3, pool_timeout: 7, time_limit: 0.5}}",
            {
                "job_endpoint": "jobs:8099",
                "environment_type": "EXTERNAL",
                "environment_config": "workers:50000",
                "sdk_worker_parallelism": "3",
                "worker_pool_timeout": 7.0,
                "job_time_limit": 1800.0,
            },
        ),
        (
            "{runner: portable, job_endpoint: 'jobs:8099', image: registry/workers, pool_timeout: 7}",
            {"environment_type": "DOCKER", "environment_config": "registry/workers", "worker_pool_timeout": None},
        ),
        (
            f"{{{FLINK}, parallelism: 4}}",
            {
                "runner": "FlinkRunner",
                "flink_master": "flink:8081",
                "flink_job_server_jar": "/opt/flink.jar",
                "artifacts_dir": "/mnt/staging",
                "parallelism": 4,
                "environment_config": "i",
            },
        ),
        (
            "{runner: spark, master: 'spark://s:7', job_server_jar: /opt/s.jar, staging: gs://b, worker_pool: 'w:1'}",
            {"runner": "SparkRunner", "spark_master_url": "spark://s:7", "spark_job_server_jar": "/opt/s.jar"},
        ),
        (
            "{runner: dataflow}",
            {
                "runner": "DataflowRunner",
                "project": "pets",
                "region": "europe-west4",
                "sdk_container_image": "registry/specialist",
                "temp_location": "gs://bucket/runs/beam",
                "experiments": ["use_runner_v2", "disable_logging_submission_environment"],
                "use_public_ips": None,
                "service_account_email": None,
            },
        ),
        (
            "{runner: dataflow, project: birds, image: other, accelerator: nvidia-l4, count: 2, max_workers: 9,"
            " disk_gb: 200, machine_type: g2, public_ips: false, temp_location: gs://tmp/beam,"
            " options: [--num_workers=3]}",
            {
                "project": "birds",
                "sdk_container_image": "other",
                "machine_type": "g2",
                "max_num_workers": 9,
                "num_workers": 3,
                "disk_size_gb": 200,
                "use_public_ips": False,
                "temp_location": "gs://tmp/beam",
                "dataflow_service_options": ["worker_accelerator=type:nvidia-l4;count:2;install-nvidia-driver"],
                "experiments": [
                    *("use_runner_v2", "disable_logging_submission_environment", "no_use_multiple_sdk_containers")
                ],
            },
        ),
        ("{runner: custom, options: [--runner, apache_beam.Some]}", {"runner": "apache_beam.Some"}),
    ],
    ids=[
        *("nothing", "multi_processing", "three processes", "portable", "portable with an image", "flink", "spark"),
        *("dataflow", "dataflow with all", "custom"),
    ],
)
def test_beam_is_told(text, expected):
    found = options.PipelineOptions(find(text).arguments()).get_all_options()
    assert {name: found.get(name) for name in expected} == expected


def test_what_is_more_special_replaces_what_is_more_general():
    text = "{all: {runner: multi_processing}, Predictor: {runner: dataflow}, source-predictions: {runner: in_memory}}"
    assert find(text).runner == "multi_processing"
    assert find(text, "digits-predictions", "Predictor").runner == "dataflow"
    assert find(text, "source-predictions", "Predictor").runner == "in_memory"


def test_the_watched_runner_is_one_of_beams():
    (name,) = [text for text in find(f"{{runner: portable, {POOL}}}").arguments() if text.startswith("--runner=")]
    assert isinstance(runners.create_runner(name.partition("=")[2]), runners.PipelineRunner)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{runner: dask}", "all: runner: 'dask' computes only the last branch"),
        ("{runner: custom, options: [--runner=DaskRunner]}", "all: options: DaskRunner computes only the last branch"),
        ("{runner: [flink]}", r"all: runner: \['flink'\] is unknown"),
        ("{runner: flnk}", r"all: runner: 'flnk' is unknown \(did you mean 'flink'\?\)"),
        ("{Predictor: {}}", "Predictor: runner: missing"),
        ("{Predictor: 3}", "Predictor: 3: runner: missing"),
        ("[--runner=x]", r".*\['--runner=x'\]"),
        ("{runner: portable, worker_pool: 'a:1'}", "all.job_endpoint: field required"),
        ("{runner: portable, job_endpoint: a, worker_pool: 'a:1'}", "all.job_endpoint: 'a'"),
        ("{runner: portable, job_endpoint: 'a:1'}", "all: worker_pool, image: neither is given"),
        (f"{{runner: portable, {POOL}, image: i}}", "all: worker_pool, image: both are given"),
        ("{runner: portable, job_endpoint: 'h:99999', image: i}", "all.job_endpoint: 'h:99999'"),
        ("{runner: portable, job_endpoint: 'h:0', image: i}", "all.job_endpoint: 'h:0'"),
        (f"{{runner: portable, {POOL}, options: [x=3]}}", r"all.options: .*'x=3' is no option"),
        (f"{{runner: portable, {POOL}, options: [--runner=DirectRunner]}}", "all.options: .*the runner is chosen"),
        (f"{{runner: portable, {POOL}, pool_timeout: 0}}", "all.pool_timeout: 0"),
        ("{runner: multi_processing, workers: -1}", "all.workers: -1"),
        ("{runner: flink, master: 'a:1', image: i, staging: /s}", "all.job_server_jar: field required"),
        ("{runner: flink, master: 'a:1', image: i, staging: s, job_server_jar: /j}", "all.staging: 's'"),
        (
            "{runner: flink, master: 'a:1', image: i, staging: minio://s, job_server_jar: /j}",
            "all.staging: 'minio://s'",
        ),
        ("{runner: flink, master: 'a:1', image: i, staging: /s, job_server_jar: j}", "all.job_server_jar: 'j'"),
        ("{runner: spark, master: 'a:1', image: i, staging: /s, job_server_jar: /j}", "all.master: 'a:1'"),
        ("{runner: dataflow, temp_location: /tmp}", "all.temp_location: '/tmp'"),
        ("{runner: dataflow, accelerator: nvidia-tsla-t4}", r"all: accelerator: 'nvidia-tsla-t4' is unknown"),
        ("{runner: dataflow, accelerator: nvidia-tesla-t4, count: 3}", "all: count: 3; machines with"),
        ("{runner: dataflow, accelerator: tpu-v3, count: 8}", "all: accelerator: 'tpu-v3'; a worker has GPUs"),
        ("{runner: dataflow, count: 2}", "all: count: 2, but there is no accelerator"),
        ("{runner: dataflow, worker: 3}", r"all: unknown key 'worker'"),
        ("{runner: custom, options: [--streaming]}", "all: options: no --runner is in it"),
    ],
    ids=lambda value: value[:40],
)
def test_mistakes(text, message):
    with pytest.raises(ValueError, match=rf"beam\.?:? ?{message}") as caught:
        load(DEMO, [f"beam={text}"])
    assert "\n" not in str(caught.value)
