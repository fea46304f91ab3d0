"""The page's words and scenes, from its modules alone."""

from __future__ import annotations

from playwright.sync_api import Page


def test_both_languages_say_the_same_things(page_modules: Page) -> None:
    shape = """async () => {
        const { WORDS } = await import('/page/words.js');
        const shape = (it) =>
            typeof it === 'object' ? Object.entries(it).map(([name, one]) => [name, shape(one)]) : typeof it;
        return Object.values(WORDS).map(shape);
    }"""
    english, chinese = page_modules.evaluate(shape)
    assert english == chinese
    named = page_modules.evaluate("[...document.querySelectorAll('[data-word]')].map(it => it.dataset.word)")
    assert set(named) <= {name for name, type_ in english if type_ == "string"}


def test_a_link_brings_back_a_scene_and_leaves_out_what_is_usual(page_modules: Page) -> None:
    there_and_back = """async () => {
        const { fromHash, toHash } = await import('/page/scene.js');
        const usual = { lanes: ['a', 'b'], header: 'on', how: 'stream', tokens: 150, speed: null,
            lang: 'en', large: false, keys: true, prompt: 'Why?' };
        const other = { lanes: ['b'], header: 'off', how: 'poll', tokens: 9, speed: 10,
            lang: 'zh', large: true, keys: false, prompt: '水 &' };
        return [toHash(usual, usual), fromHash(toHash(other, usual)), other,
            fromHash('#header=maybe&tokens=0&speed=x&lang=fr&how=no')];
    }"""
    usual, found, other, wrong = page_modules.evaluate(there_and_back)
    assert usual == ""
    assert found == other
    assert wrong == {}
