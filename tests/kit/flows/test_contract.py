"""kit/flows/contract.py: each clause is asked once, and what would disturb another waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit.errors import Code, KitError
from kit.flows.contract import Asking, ask_clauses, in_question
from kit.probe.proof_runner import ProofRequest
from kit.proof.contract import ASKED, QUICK, Clause, ClauseFinding, ContractSpec
from kit.proof.doubts import Doubt

ALL = ContractSpec(ASKED)
Say = Callable[[str], None]


def asking(base: str | None = "http://a/proof", spec: ContractSpec = ALL) -> Asking:
    request = None if base is None else ProofRequest(base)
    return Asking(spec, request, Doubt.PROOF_EXPIRED, lambda _: None)


class Stage:
    """A `Measure` that says who is at work; the clauses of the second origin end only beside the first's."""

    def __init__(self) -> None:
        self.at_work: list[tuple[str, Clause]] = []
        self.together: set[frozenset[tuple[str, Clause]]] = set()
        self.both = asyncio.Event()

    async def __call__(
        self, clause: Clause, spec: ContractSpec, request: ProofRequest, say: Say
    ) -> ClauseFinding:
        me = (request.base, clause)
        self.at_work.append(me)
        self.together.add(frozenset(self.at_work))
        if len({base for base, _ in self.at_work}) == 2:
            self.both.set()
        await self.both.wait()
        await asyncio.sleep(0)
        self.at_work.remove(me)
        return ClauseFinding(clause, f"{clause} of {request.base}", "proved")


async def test_quick_clauses_of_one_origin_are_asked_one_after_another_and_of_two_side_by_side() -> None:
    stage = Stage()
    found = await ask_clauses([asking("a"), asking("a"), asking("b")], stage)
    assert [[one.says for one in lane] for lane in found] == [
        [f"{clause} of {base}" for clause in ASKED] for base in ("a", "a", "b")
    ]
    assert stage.both.is_set()
    for together in stage.together:
        quick = [base for base, clause in together if clause in QUICK]
        assert len(quick) == len(set(quick)), together
        assert not (quick and len(quick) < len(together)), "a stream that is watched is disturbed"
    assert any(len(together) > 1 for together in stage.together)


async def test_without_a_proof_each_clause_is_unknown_and_says_why() -> None:
    ((*found,),) = await ask_clauses([asking(None)])
    assert [(one.clause, one.sure, one.says, one.doubts) for one in found] == [
        (clause, "unknown", "its origin shows no proof", (Doubt.PROOF_EXPIRED,)) for clause in ASKED
    ]


async def test_what_cannot_be_measured_is_unknown_and_says_why() -> None:
    async def refused(clause: Clause, spec: ContractSpec, request: ProofRequest, say: Say) -> ClauseFinding:
        raise KitError(Code.UNREACHABLE, "No server answers.", "Look.")

    ((found,),) = await ask_clauses([asking(spec=ContractSpec((Clause.MANY,)))], refused)
    assert (found.clause, found.sure, found.says) == (Clause.MANY, "unknown", "No server answers")


async def test_a_bug_is_no_finding() -> None:
    async def broken(clause: Clause, spec: ContractSpec, request: ProofRequest, say: Say) -> ClauseFinding:
        raise AssertionError

    with pytest.raises(AssertionError):
        await ask_clauses([asking()], broken)


def test_what_is_asked_is_announced_each_clause_once() -> None:
    text = in_question([ContractSpec(QUICK), ALL])
    assert text == "The contract, clause by clause: cancelled, many at once, kept alive."
