"""Vectors of texts: the service, and the embedders behind it."""

from fieldpack.embed.service import EmbeddingService as EmbeddingService
from fieldpack.embed.testing import HashEmbedder as HashEmbedder
