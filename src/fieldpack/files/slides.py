"""PPTX: one part for each slide: its title as a heading, its texts in order, tables as rows, the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

from fieldpack.files.parts import Content, Part, table_lines


def read_pptx(data: bytes) -> Content:
    """The visible slides of a presentation."""
    from pptx import Presentation

    deck = Presentation(BytesIO(data))
    content = Content(" ".join((deck.core_properties.title or "").split()))
    hidden = pictures = 0
    for number, slide in enumerate(deck.slides, 1):
        if slide._element.get("show") == "0":
            hidden += 1
            continue
        title = slide.shapes.title
        blocks = [f"# {' '.join(title.text_frame.text.split())}"] if title is not None and title.has_text_frame else []
        for shape in _shapes(slide.shapes):
            if title is None or shape.shape_id != title.shape_id:
                blocks += _blocks(shape)
            pictures += type(shape).__name__ in ("Picture", "PlaceholderPicture")
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            notes = slide.notes_slide.notes_text_frame.text.strip()
            blocks += [f"Notes: {notes}"] if notes else []
        content.parts.append(
            Part("\n\n".join(b for b in blocks if b.strip(" #")), f"slide={number}", facts={"slide": number})
        )
    sorts = [f"{sort} ({count})" for sort, count in (("hidden slides", hidden), ("pictures", pictures)) if count]
    content.notes += [f"left out: {', '.join(sorts)}"] if sorts else []
    return content


def _shapes(shapes: Iterable[Any]) -> Iterator[Any]:
    """All shapes in order, those of groups in place of the group."""
    stack = [iter(shapes)]
    while stack:
        shape = next(stack[-1], None)
        if shape is None:
            stack.pop()
        elif hasattr(shape, "shapes"):
            stack.append(iter(shape.shapes))
        else:
            yield shape


def _blocks(shape: Any) -> list[str]:
    if getattr(shape, "has_table", False):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        return [table_lines(rows)] if rows and rows[0] else []
    if not getattr(shape, "has_text_frame", False):
        return []
    lines = [(p.level, " ".join(p.text.split())) for p in shape.text_frame.paragraphs if p.text.strip()]
    if shape.is_placeholder and len(lines) > 1:
        return ["\n".join(f"{'  ' * level}- {text}" for level, text in lines)]
    return ["\n".join(text for _, text in lines)]
