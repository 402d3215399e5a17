"""Names of release 0.1 that have moved: each still gives the same object, and warns with its new place."""

from __future__ import annotations

import importlib

import pytest

from fieldpack.deprecation import moved_names

MODULES = {
    "observe": ("telemetry", ("observed", "sizes", "log")),
    "value": ("analysis.token_value", ("segment_values", "surprisal", "token_value", "uniqueness", "zipf")),
    "metrics": ("analysis.metrics", ("tcr", "irr", "rqt", "evidence_kept", "bootstrap_ci", "Interval")),
    "experiment": ("analysis.experiment", ("run_token_efficiency_experiment",)),
    "text.html": ("files.html", ("html_text",)),
    "text.records": ("files.records", ("stream_records", "record_documents")),
    "templates": ("analysis.prompts", ("attractor_names", "budget_prompt", "field_prompt", "shell_prompt")),
}


@pytest.mark.parametrize("old", MODULES)
def test_a_module_that_moved_gives_the_same_objects_and_warns(old):
    new, names = MODULES[old]
    before = importlib.import_module(f"fieldpack.{old}")
    after = importlib.import_module(f"fieldpack.{new}")
    for name in names:
        with pytest.warns(DeprecationWarning, match=f"fieldpack.{old}.{name} is now fieldpack.{new}.{name}"):
            assert getattr(before, name) is getattr(after, name)
    with pytest.raises(AttributeError, match="no_such_name"):
        before.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("name", "home"),
    [("read", "files.read"), ("KIND_OF_ENDING", "files.kinds"), ("stream_records", "files.records")],
)
def test_names_of_the_old_reader_are_found_in_files(name, home):
    from fieldpack.text import read

    with pytest.warns(DeprecationWarning, match=f"fieldpack.text.read.{name} is now fieldpack.{home}.{name}"):
        assert getattr(read, name) is getattr(importlib.import_module(f"fieldpack.{home}"), name)


def test_the_warning_points_at_the_line_that_uses_the_old_name():
    from fieldpack import value

    with pytest.warns(DeprecationWarning) as caught:
        value.zipf  # noqa: B018
    assert caught[0].filename == __file__


def test_names_that_moved_alone_are_found_at_their_new_home():
    get = moved_names("fieldpack.old", {"mean": "statistics:fmean"})
    with pytest.warns(DeprecationWarning, match=r"fieldpack\.old\.mean is now statistics\.fmean"):
        assert get("mean")([1, 2]) == 1.5
    with pytest.raises(AttributeError, match=r"module 'fieldpack\.old' has no attribute 'other'"):
        get("other")
