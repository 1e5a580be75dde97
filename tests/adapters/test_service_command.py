from __future__ import annotations

from pathlib import PurePosixPath

from mlops_ci.adapters.service_command import ModelFiles, service_arguments
from mlops_ci.core.serving import LogConfig, ServingConfig
from mlops_ci.core.signature import Column, Signature
from mlops_ci.scoring import __main__ as scoring
from mlops_ci.scoring.log_options import open_log

LOG = PurePosixPath("/log/predictions.jsonl")


def test_an_image_knows_its_model_by_itself() -> None:
    assert service_arguments("abc", ServingConfig()) == ["--release=abc"]


def test_the_log_is_as_the_configuration_says() -> None:
    serving = ServingConfig(workers=3, log=LogConfig(sample=0.25, redact=("ssn", "--port"), max_mb=8, keep=2))
    assert service_arguments("abc", serving, log=LOG) == [
        "--release=abc",
        "--workers=3",
        "--log=/log/predictions.jsonl",
        "--log-sample=0.25",
        "--log-redact=ssn",
        "--log-redact=--port",
        "--log-max-mb=8",
        "--log-keep=2",
    ]


def test_without_a_log_nothing_is_said_of_it() -> None:
    assert service_arguments("abc", ServingConfig(log=LogConfig(redact=("ssn",)))) == ["--release=abc"]


def test_the_service_understands_it(tmp_path: PurePosixPath) -> None:
    serving = ServingConfig(workers=2, log=LogConfig(sample=0.25, redact=("a b", "-x", "unread"), max_mb=8, keep=0))
    arguments = service_arguments(
        "abc",
        serving,
        files=ModelFiles(folder=PurePosixPath("-files"), model="delay", version=3),
        host="127.0.0.1",
        port=0,
        log=tmp_path / "p.jsonl",
        announce=PurePosixPath("a=b.json"),
    )
    options = scoring.parser().parse_args(arguments)
    assert (options.model, options.version, options.release, options.port) == ("delay", 3, "abc", 0)
    assert (options.log_sample, options.log_redact, options.log_max_mb, options.log_keep) == (
        0.25,
        ["a b", "-x", "unread"],
        8,
        0,
    )
    assert (str(options.files), str(options.announce), options.workers) == ("-files", "a=b.json", 2)
    columns = tuple(Column(name=name, kind="text") for name in ("-x", "y"))
    log = open_log(options, Signature(task="regression", inputs=columns))
    assert log is not None
    log.close(60)
