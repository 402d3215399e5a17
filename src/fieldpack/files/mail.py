"""Mail to text with the standard library's parser: the headers that people read as lines, then the decoded body.

A mailbox is cut at its "From " lines here, since `mailbox.mbox` reads files by name only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from fieldpack.errors import InputError
from fieldpack.files.charset_names import charset_labels
from fieldpack.files.charsets import decode
from fieldpack.files.html import html_page
from fieldpack.files.model import ReadOptions

_HEADERS = ("From", "To", "Cc", "Date", "Subject", "Reply-To")
_LONGEST_HEADER = 20_000  # characters; what is longer is cut, and said
_MOST_PARTS = 200  # multiparts in one message: nested ones take time for each level
_MULTIPART = re.compile(rb"^content-type:[ \t]{0,99}(?:\r?\n[ \t]{1,99})?multipart/", re.IGNORECASE | re.MULTILINE)
_CONTENT = re.compile(rb"^content-[a-z-]{1,40}:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+", re.IGNORECASE | re.MULTILINE)
_ENVELOPE = re.compile(rb"^From [^\r\n]{0,999}\r?\n", re.MULTILINE)
_AFTER_BLANK = re.compile(rb"\n\r?\n\Z")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
_WIDE = ("utf-16", "utf-16le", "utf-16be")
_BLANKS = re.compile(r"[ \t\r\n]+")


@dataclass
class MailText:
    """A message as text. left_out: the attachments that are named in it but not read."""

    title: str
    text: str
    left_out: list[str] = field(default_factory=list)


def mail_text(place: str, data: bytes) -> MailText:
    """One message. Raises InputError for what the parser cannot take."""
    if len(_MULTIPART.findall(data)) > _MOST_PARTS:
        raise InputError(f"{place} is mail with more than {_MOST_PARTS} multipart bodies; it is not read")
    if any(m.end() - m.start() > _LONGEST_HEADER for m in _CONTENT.finditer(data)):
        # The standard library takes quadratic time on the parameters of such a header.
        raise InputError(f"{place} is mail with a content header of over {_LONGEST_HEADER:,} bytes; it is not read")
    try:
        message = BytesParser(policy=compat32).parsebytes(data)
        mail = MailText(_header(message, "Subject"), "")
        body = "\n\n".join(part for part in _bodies(message, mail, place) if part)
    except InputError:
        raise
    except Exception as error:  # the parser and its codecs raise many sorts on damaged mail
        raise InputError(f"{place} is no mail that can be read ({type(error).__name__}: {str(error)[:200]})") from None
    headers = [f"{name}: {value}" for name in _HEADERS if (value := _header(message, name))]
    attached = [f"Attachment: {name}" for name in mail.left_out]
    mail.text = "\n\n".join(part for part in ("\n".join(headers), body, "\n".join(attached)) if part)
    return mail


def mailbox_messages(data: bytes) -> list[bytes]:
    """The messages of a mailbox in mbox form, ">From " restored."""
    starts = [
        m for m in _ENVELOPE.finditer(data) if _AFTER_BLANK.search(b"\n\n" + data[max(0, m.start() - 3) : m.start()])
    ]
    ends = [m.start() for m in starts[1:]] + [len(data)] * bool(starts)
    return [_QUOTED_FROM.sub(rb"\1", data[m.end() : end]) for m, end in zip(starts, ends, strict=True)]


def _bodies(message: Message, mail: MailText, place: str) -> list[str]:
    """The texts of a message in order; of alternatives the plain one."""
    stack, texts = [message], []
    while stack:
        part = stack.pop()
        kind = part.get_content_type()
        if part.is_multipart():
            children = [child for child in part.get_payload() if isinstance(child, Message)]
            if kind == "multipart/alternative":
                children = [_alternative(children)] if children else []
            elif kind == "message/rfc822" and children:
                texts.append("\n".join(f"{name}: {v}" for name in _HEADERS if (v := _header(children[0], name))))
            stack += reversed(children)
        elif part.get_content_disposition() == "attachment" or part.get_content_maintype() != "text":
            mail.left_out.append(_attachment(part))
        else:
            text = _text_of(part, kind, place)
            if text is None:
                mail.left_out.append(_attachment(part))
            else:
                texts.append(text)
    return texts


def _alternative(children: list[Message]) -> Message:
    """The plain form where it has a text, else the last one, which is the richest."""
    plain = [c for c in children if c.get_content_type() == "text/plain" and _payload(c).strip()]
    return plain[0] if plain else children[-1]


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message, kind: str, place: str) -> str | None:
    """The text of a part, None when its bytes are none."""
    charset = part.get_content_charset()
    try:
        text = decode(place, _payload(part), None, _of_charset(charset)).text
    except InputError:  # an unknown charset, or one that does not fit
        try:
            text = decode(place, _payload(part), "html" if kind == "text/html" else None, ReadOptions()).text
        except InputError:
            return None
    text = text.replace("\r\n", "\n")
    return html_page(text, whole=True).text if kind == "text/html" else text.strip("\n")


def _of_charset(label: str | None) -> ReadOptions:
    """Options with the charset that a message names, if browsers honour it; else it is detected. UTF-16, which no page
    can declare, may stand in the head of a part."""
    name = (label or "").strip().lower()
    return ReadOptions(charset=name if name in _WIDE else charset_labels().get(name))


def _attachment(part: Message) -> str:
    name = part.get_filename() or "without a name"
    return _BLANKS.sub(
        " ", f"{_decoded(str(name))[:200]} ({part.get_content_type()[:80]}, {len(_payload(part)):,} bytes)"
    )


def _header(message: Message, name: str) -> str:
    value = message.get(name)
    if value is None:
        return ""
    text = _BLANKS.sub(" ", _decoded(str(value)[:_LONGEST_HEADER])).strip()
    return f"{text} [cut]" if len(str(value)) > _LONGEST_HEADER else text


def _decoded(value: str) -> str:
    """A header with its encoded words (RFC 2047) decoded; as it stands where they are damaged."""
    try:
        parts = decode_header(value)
        return "".join(p if isinstance(p, str) else _word(p, charset) for p, charset in parts)
    except Exception:  # binascii, codecs and the header module raise their own sorts
        return value


def _word(data: bytes, charset: str | None) -> str:
    try:
        return decode("header", data, None, _of_charset(charset)).text
    except InputError:
        return data.decode("latin-1")
