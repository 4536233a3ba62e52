"""Which machines made the runs of a store: told by the store, kept by merging and compacting."""

from __future__ import annotations

import json
import time
from pathlib import Path

from chainrule.experiments.running.tasks import make_tasks
from chainrule.experiments.store import MachineInfo, Store
from chainrule.machine import this_machine
from tests.cli.conftest import run_in
from tests.store.conftest import Open, setting_of, train


def plain(facts: object) -> object:
    return json.loads(json.dumps(facts))


def test_a_store_tells_what_made_its_runs(opened: Open) -> None:
    store = opened()
    assert store.machines() == []
    pairs = train(make_tasks([(setting_of(), range(5))]))
    before = int(time.time())
    store.save(pairs[:2])
    store.save(pairs[2:])
    store.compact()
    (one,) = store.machines()
    assert (one.n, one.facts) == (5, plain(this_machine().to_dict()))
    assert before <= one.first <= one.last <= time.time()


def test_merging_keeps_what_made_a_run(tmp_path: Path) -> None:
    pairs = train(make_tasks([(setting_of(), range(5))]))
    other = {"cpu": "Z80", "cores": 1, "chainrule": "0.0.9", "numpy": "1.0"}
    with Store.open(tmp_path / "a.db") as here, Store.open(tmp_path / "b.db") as there:
        here.save(pairs[:2])
        there._machine = json.dumps(other)
        there.save(pairs[2:])
        here.merge(there)
        most, least = here.machines()
    assert (most.n, most.facts) == (3, other)
    assert (least.n, least.facts) == (2, plain(this_machine().to_dict()))
    told = run_in(tmp_path, "store", "list", "--store", "a.db", "--json").json()["machines"]
    assert [(one["runs"], one["cpu"]) for one in told] == [(3, "Z80"), (2, this_machine().cpu)]
    shown = " ".join(run_in(tmp_path, "store", "list", "--store", "a.db").out.split())
    assert "machine 1 Z80, 1 core, chainrule 0.0.9, NumPy 1.0, 20" in shown


def test_a_machine_in_words() -> None:
    facts = {"cpu": "Z80", "cores": 2, "chainrule": "0.1.0"}
    assert MachineInfo(facts, 3, 0, 86_399).words == "Z80, 2 cores, chainrule 0.1.0, 1970-01-01"
    assert MachineInfo({}, 3, 0, 86_400).words == "1970-01-01 to 1970-01-02"
