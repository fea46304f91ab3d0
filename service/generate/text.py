"""The embedded text: what it says, in English or Chinese, and where its tokens end. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from random import Random

# Every answer has at least so many tokens: enough to see whether they come one by one.
LEAST_TOKENS = 61
# A prompt may ask for a length ("in 300 words", "300字"); up to this.
MOST_TOKENS = 4096
# A prompt up to this long gets the shortest answer; each token more takes so many characters more.
SHORT_PROMPT = 80
CHARS_PER_TOKEN = 4
# What is quoted of the prompt, in characters.
SUBJECT_ENGLISH, SUBJECT_CHINESE = 60, 24

# Blanks, what is not blank, line ends; or blanks alone. What is Han is asked of single characters: a class of
# them takes longer to compile than all the rest of this module to import.
_RUN = re.compile(r"[^\S\n]*\S+\n*|\s+")
# How many Han characters a token takes, in turn.
_HAN_STEPS = (2, 1, 2, 3, 2, 1, 1, 3)
_LENGTH = re.compile(r"(?<!\d)(\d{2,4})\s*(?:words?\b|tokens?\b|个?字)", re.IGNORECASE)

# One sentence a line: a client that reads line by line sees it grow.
_ENGLISH_OPENINGS = (
    (
        "You asked about “{subject}”.",
        "Here is an answer that thinks out loud, one word after another.",
    ),
    (
        "“{subject}”: a good question to put to a stream.",
        "Watch how these words reach you, for that is half of the answer.",
    ),
    (
        "Let us begin with “{subject}”.",
        "Every word of this was sent the moment it was written.",
    ),
)
_ENGLISH_PARAGRAPHS = (
    (
        "A river does not wait until it is complete before it moves.",
        "Water that leaves the spring is on its way to the sea at once.",
        "Build a dam across it, and the valley stays dry until the gate opens.",
        "Then everything comes down in one wave, and nobody remembers that it ever flowed.",
    ),
    (
        "A buffer is a kind clerk who saves you the walk to the mailbox.",
        "He collects letters until the bag is full, and only then sets out.",
        "For a thousand letters that is clever.",
        "For a conversation it is silence, followed by everything at once.",
    ),
    (
        "Between a server and a reader there stand more machines than either can see.",
        "Each may read ahead, compress, inspect or count what passes through its hands.",
        "Any one of them can hold a sentence back, and none will say so.",
        "That is why the only proof is to watch the words arrive.",
    ),
    (
        "The telegraph clerk wrote each letter down while the key was still clicking.",
        "He could have waited for the end of the message, but the reader stood at the counter.",
        "Half a sentence is often enough to know whether to run for the train.",
        "What comes early is worth more than what comes complete.",
    ),
    (
        "A pianist does not hand you the whole sonata when the last note has faded.",
        "Time is part of what she plays.",
        "Take the time away and you hold the same notes, but not the music.",
        "A text that is typed before your eyes has a little of that, too.",
    ),
    (
        "People forgive a machine that thinks slowly, as long as they can see it think.",
        "The first word says that the question was heard.",
        "The second says that there is more to come.",
        "An empty page says nothing, and after ten seconds it says that something is broken.",
    ),
    (
        "Sixty-four kilobytes is a small number for a proxy and a long novel for a reader.",
        "A whole answer fits into it with room to spare.",
        "So a block that never fills is a door that never opens.",
        "One line in a response header can take that door off its hinges.",
    ),
    (
        "Letters once crossed the ocean by ship, and news was as old as the voyage.",
        "Then a cable was laid, and a word spoken in one city was read in another.",
        "Nothing about the words had changed.",
        "Only the waiting was gone, and with it half of the distance.",
    ),
)
_ENGLISH_CLOSINGS = (
    "That is all, and the next event says so.",
    "If these words came one by one, nothing stood in their way.",
    "Did it flow, or did it fall on you all at once?",
)
_CHINESE_OPENINGS = (
    ("你问的是“{subject}”。", "这个回答一边想，一边写，一个词接着一个词。"),
    ("“{subject}”，这是一个适合交给流来回答的问题。", "请看这些字怎样到达，答案的一半就在其中。"),
    ("我们从“{subject}”说起。", "这里的每一个字，写下的那一刻就已经发出。"),
)
_CHINESE_PARAGRAPHS = (
    (
        "河水不会等到整条河都齐了才开始流动。",
        "离开泉眼的水，立刻就走在去往大海的路上。",
        "若在中间筑起一道坝，下游的河谷便一直干着，直到闸门打开。",
        "那时所有的水一涌而下，没有人记得它曾经缓缓流过。",
    ),
    (
        "缓冲区像一位好心的邮差，替你省去一趟趟跑邮局的路。",
        "他把信攒在袋子里，装满了才肯动身。",
        "如果有一千封信，这很聪明。",
        "如果是一场谈话，这就是长久的沉默，然后所有的话一起落下。",
    ),
    (
        "服务器与读者之间，站着许多谁也看不见的机器。",
        "每一台都可能先读一段，压缩一下，检查一番，再放行。",
        "任何一台都能把一句话扣住，却没有一台会告诉你。",
        "所以唯一的证明，就是亲眼看着字一个一个到来。",
    ),
    (
        "当年的报务员，电键还在响，手里已经写下每一个字。",
        "他本可以等整封电报收完，可是收信的人就站在柜台前。",
        "半句话往往就够让人决定，要不要跑去赶那班火车。",
        "早到的半句，胜过迟来的全文。",
    ),
    (
        "钢琴家不会等最后一个音消失，才把整首奏鸣曲递给你。",
        "时间本来就是她演奏的一部分。",
        "拿走时间，音符一个不少，音乐却不见了。",
        "在你眼前慢慢写出的文字，也有一点这样的味道。",
    ),
    (
        "人们愿意原谅想得慢的机器，只要看得见它在想。",
        "第一个字说明问题已经听见。",
        "第二个字说明后面还有。",
        "一张空白的页面什么也不说，十秒之后，它说的是出了故障。",
    ),
    (
        "六万四千个字节，对代理来说很小，对读者来说是一部长篇。",
        "一个完整的回答放进去，还空着一大半。",
        "装不满的箱子，就是一扇打不开的门。",
        "响应头里的一行字，就能把这扇门卸下来。",
    ),
    (
        "从前的信要坐船过海，消息和航程一样老。",
        "后来海底铺了电缆，这座城里说的话，那座城里立刻读到。",
        "话还是原来的话。",
        "消失的只是等待，还有一半的距离。",
    ),
)
_CHINESE_CLOSINGS = (
    "就说到这里，下一个事件会告诉你结束了。",
    "如果这些字是一个一个来的，路上就没有谁拦着它们。",
    "它是缓缓流来的，还是一下子落在你面前的？",
)


def compose(prompt: str, rng: Random) -> list[str]:
    """The answer to a prompt as its tokens, LEAST_TOKENS at least; joined they are the text."""
    chinese = is_chinese(prompt)
    paragraphs = _CHINESE_PARAGRAPHS if chinese else _ENGLISH_PARAGRAPHS
    subject = _subject(prompt, SUBJECT_CHINESE if chinese else SUBJECT_ENGLISH)
    written: list[str] = []
    for line in (*rng.choice(_CHINESE_OPENINGS if chinese else _ENGLISH_OPENINGS), ""):
        written += tokens(f"{line}\n".replace("{subject}", subject))
    closing = _told(rng.choice(_CHINESE_CLOSINGS if chinese else _ENGLISH_CLOSINGS))
    least = _length(prompt) - len(closing)
    while len(written) < least:
        # All of them in some order; if that is not enough, in another.
        for line in (line for chosen in rng.sample(paragraphs, len(paragraphs)) for line in (*chosen, "")):
            if len(written) < least:
                written += _told(line)
    if written[-1] != "\n":
        written.append("\n")
    return [*written, *closing]


def is_chinese(prompt: str) -> bool:
    """Whether a Chinese answer is wanted: a quarter of the letters are Han, none kana or hangul."""
    if prompt.isascii() or any(
        "\u3040" <= char <= "\u30ff" or "\uac00" <= char <= "\ud7af" for char in prompt
    ):
        return False
    return sum(map(_is_han, prompt)) * 4 > sum(map(str.isalpha, prompt))


def tokens(text: str) -> list[str]:
    """Splits text as a model's tokenizer might: a word with the blank before it, one to three Han characters.

    Line ends stay with what they end. Joined, the tokens are the text.
    """
    pieces: list[str] = []
    for run in _RUN.findall(text):
        if run.isascii():
            pieces.append(run)
        else:
            pieces += _split(run)
    return pieces


def _split(run: str) -> Iterator[str]:
    piece = ""
    steps: Iterator[int] | None = None  # while in Han characters
    left = 0
    for char in run:
        if _is_han(char) or (steps and _is_han_punctuation(char)):
            if steps is None:
                steps = cycle(_HAN_STEPS)
                left = next(steps)
                if piece.strip():
                    yield piece
                    piece = ""
            if left == 0:
                yield piece
                piece = ""
                left = next(steps)
            left -= 1
        elif steps and char != "\n":
            yield piece
            piece = ""
            steps = None
        piece += char
    yield piece


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" or "\u3400" <= char <= "\u4dbf"


def _is_han_punctuation(char: str) -> bool:
    return "\u3000" <= char <= "\u303f" or "\uff00" <= char <= "\uff65" or char in "”’…—"


@cache
def _told(line: str) -> tuple[str, ...]:
    """The tokens of a sentence that is used as it stands: there are a few dozen of them."""
    return tuple(tokens(f"{line}\n"))


def _length(prompt: str) -> int:
    asked = _LENGTH.search(prompt)
    wish = int(asked[1]) if asked else LEAST_TOKENS + max(0, len(prompt) - SHORT_PROMPT) // CHARS_PER_TOKEN
    return min(max(wish, LEAST_TOKENS), MOST_TOKENS)


def _subject(prompt: str, most: int) -> str:
    """The beginning of the prompt on one line, cut between words where there are any."""
    line = "".join(char for char in " ".join(prompt.split()) if char.isprintable()) or "…"
    if len(line) <= most:
        return line
    cut = line[:most]
    words, _, rest = cut.rpartition(" ")
    return (words if words and len(rest) < most // 2 else cut).rstrip() + "…"
