"""The embedded text: worth showing, in the prompt's language, and made of tokens that are the text."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.generate.text import LEAST_TOKENS, MOST_TOKENS, compose, is_chinese, tokens

prompts = st.text(max_size=400)
ENGLISH, CHINESE = "Why does my stream arrive in one lump?", "为什么我的流式回答会一次到达？"


@given(st.text() | st.text("流水，。 \n\t\u3000a1—…”", max_size=60))
@example("流——“水”\n\n  a")
def test_joined_the_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


@given(st.text())
def test_no_token_is_empty(text: str) -> None:
    assert all(tokens(text))


def test_a_word_is_a_token_with_the_blank_before_it() -> None:
    assert tokens("A river does not wait.\n") == ["A", " river", " does", " not", " wait.\n"]


def test_chinese_comes_in_one_to_three_characters() -> None:
    pieces = tokens("河水不会等到整条河都齐了才开始流动")
    assert {len(piece) for piece in pieces} == {1, 2, 3}


def test_chinese_punctuation_begins_no_token_that_has_no_character_before_it() -> None:
    assert len(tokens("流，水。")) < 4


@given(prompts, st.integers())
@example("5000字", 0)
@example("write 9999 words", 0)
@example("\ud800", 0)
def test_any_prompt_is_answered_in_at_least_61_and_not_endlessly_many_tokens(prompt: str, seed: int) -> None:
    written = compose(prompt, Random(seed))
    assert LEAST_TOKENS <= len(written) <= MOST_TOKENS + 60
    assert all(written)
    "".join(written).encode()  # whatever the prompt held, it can be sent


@given(prompts, st.integers())
def test_the_same_dice_write_the_same_text(prompt: str, seed: int) -> None:
    assert compose(prompt, Random(seed)) == compose(prompt, Random(seed))


@pytest.mark.parametrize(
    ("prompt", "least"),
    [("a story in 300 words", 300), ("写一个300字的故事", 300), ("200 tokens please", 200)],
)
def test_a_prompt_may_ask_for_a_length(prompt: str, least: int) -> None:
    assert least <= len(compose(prompt, Random(0))) < least + 60


def test_a_longer_prompt_gets_a_longer_answer() -> None:
    assert len(compose("why " * 500, Random(0))) > 2 * len(compose("why", Random(0)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prompt", [ENGLISH, CHINESE])
def test_every_line_is_a_sentence_so_that_a_reader_of_lines_sees_it_grow(prompt: str, seed: int) -> None:
    text = "".join(compose(prompt, Random(seed)))
    assert text.endswith("\n")
    sentences = [line for line in text.splitlines() if line]
    assert len(sentences) >= 5
    assert all(line[-1] in ".?!。？！" for line in sentences)
    assert all(len(line) < 200 for line in sentences)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prompt", [ENGLISH, CHINESE])
def test_the_answer_quotes_the_question(prompt: str, seed: int) -> None:
    assert prompt in "".join(compose(prompt, Random(seed)))


def test_a_long_question_is_quoted_in_part_on_one_line() -> None:
    opening = "".join(
        compose("please tell me\nhow rivers reach the sea and why " * 9, Random(0))
    ).splitlines()[0]
    assert "please tell me how rivers" in opening
    assert len(opening) < 150


@pytest.mark.parametrize(
    ("prompt", "chinese"),
    [
        (CHINESE, True),
        ("用 FastAPI 写一个流式接口", True),
        ("流", True),
        (ENGLISH, False),
        ("What does 流 mean in the context of a river?", False),
        ("ストリームとは何ですか 説明", False),
        ("흐름이란 漢字", False),
        ("", False),
        ("🌊", False),
    ],
)
def test_the_language_is_the_prompts(prompt: str, chinese: bool) -> None:
    assert is_chinese(prompt) is chinese
    text = "".join(compose(prompt, Random(0)))
    assert ("。" in text) is chinese
