"""The HTTP headers that a relay adds to a host's messages: over stdio a host sends none, and HTTP servers want them.

Own code: the SDK sets them in its session, and a relay has no session. Read in mcp 2.3 (`client/session.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp.shared.message import ClientMessageMetadata
from mcp_types import PROTOCOL_VERSION_META_KEY, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse


class HeaderStamp:
    """What a connection knows by its messages: the version that its handshake agreed on, and parameters of tools that
    are sent as headers too."""

    def __init__(self) -> None:
        self._version = ""
        self._handshakes: set[int | str] = set()
        self._lists: set[int | str] = set()
        self._maps: dict[str, dict[tuple[str, ...], str]] = {}

    def metadata(self, message: JSONRPCMessage) -> ClientMessageMetadata | None:
        """The headers of a host's message, for the SDK's transport; None where it needs none."""
        if not isinstance(message, JSONRPCRequest | JSONRPCNotification):
            return None
        if isinstance(message, JSONRPCRequest):
            if message.method == "initialize":
                self._handshakes.add(message.id)
                return None
            if message.method == "tools/list":
                self._lists.add(message.id)
        params = message.params or {}
        version = (params.get("_meta") or {}).get(PROTOCOL_VERSION_META_KEY)
        if isinstance(version, str):
            return ClientMessageMetadata(headers=self._modern(message.method, params, version))
        return ClientMessageMetadata(headers={MCP_PROTOCOL_VERSION_HEADER: self._version}) if self._version else None

    def read(self, message: JSONRPCMessage) -> None:
        """Learns from a server's answer."""
        if not isinstance(message, JSONRPCResponse):
            return
        if message.id in self._handshakes:
            self._handshakes.discard(message.id)
            self._version = str(message.result.get("protocolVersion") or "")
        elif message.id in self._lists:
            self._lists.discard(message.id)
            for tool in message.result.get("tools", []):
                schema = tool.get("inputSchema")
                if find_invalid_x_mcp_header(schema) is None and (headers := x_mcp_header_map(schema)):
                    self._maps[str(tool.get("name"))] = headers

    def _modern(self, method: str, params: Mapping[str, Any], version: str) -> dict[str, str]:
        headers = {MCP_PROTOCOL_VERSION_HEADER: version, MCP_METHOD_HEADER: method}
        name = params.get(NAME_BEARING_METHODS.get(method, ""))
        if isinstance(name, str):
            headers[MCP_NAME_HEADER] = encode_header_value(name)
        arguments = params.get("arguments")
        if method == "tools/call" and isinstance(name, str) and isinstance(arguments, Mapping):
            headers |= mcp_param_headers(self._maps.get(name, {}), arguments)
        return headers
