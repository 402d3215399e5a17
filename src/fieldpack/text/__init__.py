"""Text in: files to documents, documents to segments, segments to token counts."""
