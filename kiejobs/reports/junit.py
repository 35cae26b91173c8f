"""JUnit XML, as CI servers read it.

In: elements; any text. Out: a file's text; text that XML and a CI server's log can take. Touches nothing.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from kiejobs.reports.terminal import sanitize

# What XML 1.0 can't hold in any spelling (its chapter 2.2) and `clean` lets through.
_FORBIDDEN = re.compile("[\ufffe\uffff]")


def junit_text(suites: ET.Element) -> str:
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def xml_text(text: str) -> str:
    """Spelled out as on a terminal, since logs of CI servers end up on one; line breaks stay."""
    return "\n".join(_FORBIDDEN.sub("\ufffd", sanitize(line)) for line in text.split("\n"))
