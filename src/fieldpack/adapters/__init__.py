"""fieldpack inside other frameworks: documents and conversations in `langchain`, `llamaindex`, `haystack`; tool output
of agents in `langchain_tools`, `pydantic_ai`, `openai_agents`, `adk`, `llamaindex_tools`, `haystack_tools`; in
LiteLLM's proxy `litellm`.

Importing this package imports none of them; a module whose framework is not installed raises MissingExtraError.
"""
