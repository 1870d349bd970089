"""The page of metrics is what Prometheus' own parser reads, with the show's figures in base units."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from streaming.remote.installation.metrics_page import metrics_text
from tests.unit.streaming.remote.installation.statuses import status


def read(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Name and labels -> value."""
    families = list(text_string_to_metric_families(text.decode()))
    assert all(family.name.startswith("antiphon_") for family in families)
    assert all(family.documentation and family.type in ("gauge", "counter", "info") for family in families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_the_show_measured_is_there_in_base_units() -> None:
    values = read(metrics_text(status(camera="no device")))
    speaker = (("stage", "speaker"),)
    assert values["antiphon_show_seconds", ()] == 12.0
    assert values["antiphon_stage_up", speaker] == 1.0
    assert values["antiphon_stage_up", (("stage", "camera"),)] == 0.0
    assert values["antiphon_stage_state", (("stage", "camera"), ("state", "no device"))] == 1.0
    assert values["antiphon_stage_restarts_total", speaker] == 2.0
    assert values["antiphon_stage_cpu_ratio", speaker] == 0.125
    assert values["antiphon_stage_memory_bytes", speaker] == 150e6
    assert values["antiphon_level_dbfs", speaker] == -18.5
    assert values["antiphon_output_faults_total", (("direction", "motion-to-sound"), ("fault", "underruns"))] == 3.0
    assert values["antiphon_notes_total", ()] == 1.0
    assert values["antiphon_show_info", (("bundle", "default"), ("direction", "both"))] == 1.0


def test_what_was_not_measured_is_left_out() -> None:
    values = read(metrics_text(status(False)))
    names = {name for name, _ in values}
    assert "antiphon_show_seconds" not in names
    assert "antiphon_latency_seconds" not in names
    assert ("antiphon_stage_memory_bytes", (("stage", "motion"),)) not in values


def test_latencies_are_seconds_by_quantile() -> None:
    one = status()
    one["latency"] = {"motion_to_sound_ms": {"n": 9, "p50": 55.0, "p95": 60.0, "p99": 70.0, "max": None}}
    values = read(metrics_text(one))
    label = ("direction", "motion-to-sound")
    assert values["antiphon_latency_seconds", (label, ("quantile", "0.99"))] == 0.07
    assert ("antiphon_latency_seconds", (label, ("quantile", "1"))) not in values


def test_a_supervisor_that_does_not_answer_is_down() -> None:
    assert read(metrics_text(None)) == {("antiphon_stage_up", (("stage", "supervisor"),)): 0.0}
