"""The agent's way to its model: chat completions over HTTP, at any OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from types import TracebackType

TIMEOUT_S = 60


class ModelError(Exception):
    """The endpoint did not answer, or answered with an error; the text says which."""


class ChatModel:
    """A connection to one endpoint, for use inside `async with`."""

    def __init__(self, base_url: str, key: str = "") -> None:
        """Nothing is sent before the first completion; the key goes into one header only."""
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def complete(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]],
        *,
        model: str,
        temperature: float,
    ) -> dict[str, Any]:
        """Return the endpoint's whole answer.

        Raises:
            ModelError: if there is no answer within a minute, or the status is not 200.
        """
        request = {"model": model, "messages": messages, "temperature": temperature, "tools": tools}
        try:
            async with self._session.post(self._url, json=request) as response:
                if response.status != 200:  # noqa: PLR2004 - HTTP's own word for success
                    text = (await response.text())[:300]
                    raise ModelError(f"{self._url} answered {response.status}: {text}")
                return await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or f"nothing came within {TIMEOUT_S} s"
            raise ModelError(f"{self._url} did not answer: {reason}") from error
