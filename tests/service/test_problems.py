"""A problem looks the same as a response's body and as an event's data: RFC 9457."""

from __future__ import annotations

import json

import pytest

from service import problems
from service.problems import Problem


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    body = Problem("bad-x", 422, "A parameter cannot be used.", "x is 3.").body()
    assert body == {
        "type": "urn:streamproof:problem:bad-x",
        "title": "A parameter cannot be used.",
        "status": 422,
        "detail": "x is 3.",
    }


def test_what_does_not_apply_is_left_out_and_what_does_is_there() -> None:
    body = Problem("k", 503, "T.", "D.", retry_after_s=0, parameter="seed").body()
    assert (body["retry_after_s"], body["parameter"]) == (0, "seed")


def test_as_a_response_it_has_its_status_its_media_type_and_its_body() -> None:
    problem = problems.too_many_streams(7)
    response = problem.response()
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(bytes(response.body)) == problem.body()


@pytest.mark.parametrize("problem", [problems.too_many_streams(7), problems.shutting_down()])
def test_a_503_says_when_to_come_again_in_the_header_and_in_the_body(problem: Problem) -> None:
    header = problem.response().headers["retry-after"]
    assert header.isdigit()
    assert int(header) == problem.body()["retry_after_s"] > 0


@pytest.mark.parametrize("problem", [problems.deadline(12.5), problems.internal()])
def test_where_trying_again_is_no_use_nothing_asks_for_it(problem: Problem) -> None:
    assert "retry-after" not in problem.response().headers
    assert "retry_after_s" not in problem.body()


def test_the_limits_are_named_in_the_details() -> None:
    assert "7" in problems.too_many_streams(7).detail
    assert "12.5 s" in problems.deadline(12.5).detail
