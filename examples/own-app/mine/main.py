"""A small app that streams an answer, packaged and measured as it stands: see kit.toml beside this folder."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()

# Where the kit starts this app it wraps the proof around it. Where you do, these two lines bring it, and
# service/proof.py copied beside this file:
# from mine.proof import create_proof
# app.mount("/proof", create_proof())


async def words(question: str) -> AsyncIterator[str]:
    for number in range(30):
        yield f"data: {number}. You asked: {question}\n\n"
        await asyncio.sleep(0.08)


@app.get("/answer")
async def answer(question: str, accel: str = "on") -> StreamingResponse:
    # Some platforms hold a stream without this header. The switch lets the kit measure both.
    headers = {"X-Accel-Buffering": "no"} if accel == "on" else {}
    return StreamingResponse(words(question), media_type="text/event-stream", headers=headers)
