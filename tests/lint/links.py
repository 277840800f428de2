"""Every relative link of a Markdown file leads to a file, and to a heading of it where it names one.

A code block that starts with ```LANGUAGE PATH shows a piece of that file, to the letter.
"""

import os
import re

from lint import ROOT, line_of, paths, read, run, texts

LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.S | re.M)
SHOWN = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.S | re.M)
INLINE = re.compile(r"`[^`\n]+`")


def without_code(text):
    blank = lambda match: re.sub(r"[^\n]", " ", match.group(0))
    return INLINE.sub(blank, FENCE.sub(blank, text))


def anchors(text):
    """The identifiers that forges give to headings."""
    text = FENCE.sub("", text)
    return {re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
            for heading in re.findall(r"^#+ +(.*)$", text, re.M)}


def check(files):
    problems = []
    for path, text in files.items():
        if not path.endswith(".md"):
            continue
        for match in LINK.finditer(without_code(text)):
            target, _, anchor = match.group(1).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            where = f"{path}:{line_of(text, match.start())}"
            linked = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if linked not in files and not os.path.exists(os.path.join(ROOT, linked)):
                problems.append(f"{where}: {match.group(1)} leads nowhere")
            elif anchor and linked.endswith(".md") and anchor not in anchors(files.get(linked, "")):
                problems.append(f"{where}: {linked} has no heading #{anchor}")
        for match in SHOWN.finditer(text):
            shown, piece = match.groups()
            whole = files.get(shown) or (read(shown) if os.path.exists(os.path.join(ROOT, shown)) else "")
            if piece not in whole:
                problems.append(f"{path}:{line_of(text, match.start())}: this is not what {shown} says")
    return problems


PLANTED = [
    ({"docs/a.md": "[b](no-such-file.md)\n"}, "leads nowhere"),
    ({"docs/a.md": "[b](b.md#gone)\n", "docs/b.md": "# Here\n"}, "has no heading #gone"),
    ({"docs/a.md": "```yaml b.md\na: 1\n```\n", "b.md": "a: 2\n"}, "not what b.md says"),
    ({"docs/a.md": "```yaml b.md\na: 2\n```\n", "b.md": "x:\na: 2\n"}, None),
    ({"docs/a.md": "[b](b.md#some-long-title) [c](https://example.org) `[x](y)`\n", "docs/b.md": "## Some `long` title\n"}, None),
]

if __name__ == "__main__":
    run(check, PLANTED, texts(p for p in paths() if p.endswith(".md") and not p.startswith("tests/data/")))
