"""Files for the tests of reading: put them into the current folder, and make the containers that have no text form."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path


def put(name: str, content: str | bytes) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def pdf(*pages: list[tuple[int, int, str]]) -> bytes:
    """A PDF of one font; each page is a list of (x, y, text) in points from the lower left corner, in drawing order."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for pieces in pages:
        drawn = "".join(f"BT /F1 10 Tf {x} {y} Td ({t}) Tj ET\n" for x, y, t in pieces).encode("latin-1")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    return _pdf_file(objects)


def pdf_of_forms(depth: int, width: int) -> bytes:
    """A PDF whose page draws a form, which draws another `width` times, `depth` levels deep."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>",
        b"<< /Length 6 >>\nstream\n/X Do \nendstream",
    ]
    for level in range(depth):
        drawn = b"/X Do " * width
        objects.append(
            b"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >> "
            b"/Length %d >>\nstream\n%s\nendstream" % (level + 6, len(drawn), drawn)
        )
    return _pdf_file(objects)


def _pdf_file(objects: list[bytes]) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (size, start)


def epub(chapters: dict[str, str], spine: list[str] | None = None, **extra: str) -> bytes:
    """A book: {file name: XHTML}; `spine` names the files in reading order, in the package as they are quoted there."""
    spine = list(chapters) if spine is None else spine
    items = "".join(f'<item id="i{k}" href="{name}" media-type="x"/>' for k, name in enumerate(spine))
    order = "".join(f'<itemref idref="i{k}"/>' for k in range(len(spine)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>Book</dc:title></metadata><manifest>{items}</manifest><spine>{order}</spine></package>"
    )
    files = {"mimetype": "application/epub+zip", "O/c.opf": package, **{f"O/{k}": v for k, v in chapters.items()}}
    files["META-INF/container.xml"] = '<container><rootfiles><rootfile full-path="O/c.opf"/></rootfiles></container>'
    return archive({**files, **extra})


def archive(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return out.getvalue()


def xlsx() -> bytes:
    """Two visible sheets and a hidden one: prices with dates and percentages, a table below its title, a formula."""
    import openpyxl

    book = openpyxl.Workbook()
    prices = book.active
    prices.title = "Prices"
    prices.append(["Part", "Price", "Since", "Share"])
    for i in range(4):
        prices.append([f"P{i}", i * 1.5, datetime.date(2026, 1, i + 1), 0.125 * i])
        prices.cell(i + 2, 4).number_format = "0.0%"
    other = book.create_sheet("Second")
    other["B2"] = "Stock of | May"
    other["B3"], other["C3"], other["D3"] = "Part", "Count", "Sum"
    other["B4"], other["C4"], other["D4"] = "P1", True, "=1+1"
    other["B7"] = "far below"
    hidden = book.create_sheet("Hid")
    hidden["A1"], hidden.sheet_state = "hidden value", "hidden"
    return _saved(book)


def pptx() -> bytes:
    """Three slides: points with notes, a table, a hidden one."""
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Plan"
    first.placeholders[1].text = "First point\nSecond point"
    first.notes_slide.notes_text_frame.text = "Say it slowly."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Figures"
    table = second.shapes.add_table(3, 2, Inches(1), Inches(1), Inches(4), Inches(2)).table
    for row in range(3):
        for column in range(2):
            table.cell(row, column).text = f"r{row}|c{column}"
    third = deck.slides.add_slide(deck.slide_layouts[5])
    third.shapes.title.text = "Draft"
    third._element.set("show", "0")
    return _saved(deck)


def docx() -> bytes:
    """Headings, numbered and bulleted items, a table with a merged cell. python-docx is not among the packages of the
    tests, so the few parts of a Word file are written out."""
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

    def paragraph(text: str, properties: str = "") -> str:
        return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"

    def item(text: str, numbering: int, level: int = 0) -> str:
        return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{numbering}"/></w:numPr>')

    def row(*cells: str) -> str:
        return "<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>"

    wide = '<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>' + paragraph("both")
    table = row(*map(paragraph, ("Option", "Meaning", "Since"))) + row(
        *map(paragraph, ("--depth", "a | b. Levels", "1.3"))
    )
    body = (
        paragraph("Opening hours", '<w:pStyle w:val="Heading1"/>')
        + paragraph("The depot opens at seven.")
        + item("Open the lid", 1)
        + item("Turn left", 1, 1)
        + item("Fill in oil", 1)
        + item("red", 2)
        + f"<w:tbl>{table}{row(wide, paragraph('2.0'))}</w:tbl>"
    )
    levels = {
        1: "".join(f'<w:lvl w:ilvl="{n}"><w:numFmt w:val="decimal"/></w:lvl>' for n in range(2)),
        2: '<w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/></w:lvl>',
    }
    numbering = "".join(f'<w:abstractNum w:abstractNumId="{k}">{level}</w:abstractNum>' for k, level in levels.items())
    numbering += "".join(f'<w:num w:numId="{k}"><w:abstractNumId w:val="{k}"/></w:num>' for k in levels)
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    styles = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    return archive(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Default Extension="xml" ContentType="{main}.document.main+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{relations}"><Relationship Id="n" '
            f'Type="{office}/numbering" Target="numbering.xml"/><Relationship Id="s" Type="{office}/styles" '
            'Target="styles.xml"/></Relationships>',
            "word/document.xml": f"<w:document {word}><w:body>{body}</w:body></w:document>",
            "word/numbering.xml": f"<w:numbering {word}>{numbering}</w:numbering>",
            "word/styles.xml": f"<w:styles {word}>{styles}</w:styles>",
            "docProps/core.xml": '<cp xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<dc:title>Depot handbook</dc:title></cp>",
        }
    )


def _saved(document: object) -> bytes:
    out = io.BytesIO()
    document.save(out)  # type: ignore[attr-defined]
    return out.getvalue()
