"""An app as many articles have it: it streams on a laptop, and App Engine Standard delivers it whole."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
PAUSE_S = 0.2


async def generate(ai_prompt: str) -> AsyncIterator[str]:
    """A model, as slow as one."""
    for number in range(1, 13):
        yield f"Sentence {number} of the answer to “{ai_prompt}”.\n"
        await asyncio.sleep(PAUSE_S)


@app.post("/search")
async def search(ai_prompt: str) -> StreamingResponse:
    return StreamingResponse(generate(ai_prompt), media_type="text/plain")
