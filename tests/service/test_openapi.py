"""What the OpenAPI document says is what the service does, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings as examples
from schemathesis.specs.openapi.checks import positive_data_acceptance

from service.app import create_app
from service.openapi import document
from service.settings import Settings
from tests.service.conftest import serving

# A name that was never given is as good as any by its form; that it is not there is no fault of the request.
_UNLESS_KNOWN: list[Any] = [positive_data_acceptance]


_SETTINGS = Settings(first_token_ms=0, tokens_per_s=1_000_000, max_answers=100_000)

api = schemathesis.openapi.from_dict(document(_SETTINGS, "0"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The service that is described."""
    with serving(create_app(_SETTINGS)) as url:
        yield url


@api.parametrize()
@examples(max_examples=12, deadline=None, derandomize=True)
def test_no_request_meets_an_undescribed_answer(case: schemathesis.Case[Any], url: str) -> None:
    asks_for_one = case.path == "/search/{answer}" or case.headers.get("Last-Event-ID")
    response = case.call_and_validate(base_url=url, excluded_checks=_UNLESS_KNOWN if asks_for_one else [])
    assert response.status_code < 500
