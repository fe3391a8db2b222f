"""The MCP server, ``smithers mcp FILE``: a recorded run as tools, for coding agents that debug it."""
