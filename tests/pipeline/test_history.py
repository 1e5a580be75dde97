"""What happened, told to people: one line an event, and those that were asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_ci.adapters.clock import SystemClock
from mlops_ci.core.events import KINDS
from mlops_ci.core.subjects import SUBJECTS
from mlops_ci.pipeline.event_log import EventLog
from mlops_ci.pipeline.history import history, sentence
from mlops_ci.ports import ObjectStore
from tests import logs
from tests.logs import log_of, moment
from tests.pipeline.eventful import HISTORY, ONE, TWO, store_of_releases, write


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return store_of_releases(tmp_path)


class TestHistory:
    def test_one_entry_an_event_with_its_digest_and_a_sentence(self, store: ObjectStore) -> None:
        entries = history(write(store, *HISTORY), "m")

        assert [entry["number"] for entry in entries] == list(range(1, 18))
        assert [entry["previous"] for entry in entries[1:]] == [entry["digest"] for entry in entries[:-1]]
        assert [entries[number - 1]["text"] for number in (1, 2, 5, 6, 14, 15)] == [
            "version 1 was registered: first",
            "version 1 was deployed to qa, where nothing had served",
            "version 1 was approved for production by ada",
            "version 1 took 100 % of the traffic of production: continue",
            "version 2 was promoted to production, where version 1 had served",
            "production went back to version 1 from version 2: twice the errors",
        ]
        json.dumps(entries)

    def test_no_events_are_no_history(self, store: ObjectStore) -> None:
        assert history(EventLog(store, SystemClock()), "m") == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_there_is_a_sentence_for_each_kind_even_with_the_least_that_it_says(self, kind: str) -> None:
        least: dict[Any, Any] = {str: "x", int: 1, str | None: None, int | None: None}
        subject: dict[str, Any] = {
            key: least.get(hint, []) for key, hint in SUBJECTS[kind].items() if not key.endswith("?")
        }
        (event,) = log_of((kind, subject))

        assert "{" not in sentence(event, {})
        assert len(sentence(event, {})) > 10

    @pytest.mark.parametrize(
        ("wanted", "numbers"),
        [
            ({"environment": "qa"}, [2, 3, 9, 10]),
            ({"release": ONE}, [1, 2, 3, 4, 5, 6, 7, 9, 14, 15, 17]),
            ({"release": TWO[:9]}, [8, 9, 10, 11, 12, 13, 14, 15, 16, 17]),
            ({"since": moment(15)}, [15, 16, 17]),
            ({"until": moment(2)}, [1, 2]),
            ({"since": moment(6), "until": moment(9), "environment": "production"}, [6, 7]),
            ({"environment": "staging"}, []),
        ],
    )
    def test_only_what_was_asked_for(self, store: ObjectStore, wanted: dict[str, Any], numbers: list[int]) -> None:
        entries = history(write(store, *HISTORY), "m", **wanted)

        assert [entry["number"] for entry in entries] == numbers

    def test_a_reason_of_several_lines_stays_one_line_and_moves_no_cursor(self, store: ObjectStore) -> None:
        entries = history(write(store, *HISTORY[:2], logs.held(ONE, "one\ntwo\x1b[2J\r")), "m")

        assert entries[-1]["text"] == "version 1 was put on hold in production: one\\ntwo\\x1b[2J\\r"
        assert entries[-1]["subject"]["reason"] == "one\ntwo\x1b[2J\r"

    def test_steps_without_users_and_comparisons_are_told_as_what_they_are(self, store: ObjectStore) -> None:
        kind, said = logs.step(ONE, 0)
        shadow = kind, {**said, "stage": "shadow"}
        compared = kind, {**said, "stage": "ab", "share": 20, "outcome": "comparing", "until": "2026-03-02T09:00:00Z"}
        entries = history(write(store, *HISTORY[:2], shadow, compared), "m")

        assert [entry["text"] for entry in entries[2:]] == [
            "version 1 was tried in production without an answer to any user (shadow): continue",
            "version 1 took 20 % of the traffic of production: comparing until 2026-03-02T09:00:00Z",
        ]
