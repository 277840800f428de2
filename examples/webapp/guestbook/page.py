"""The page, as text."""

import html

PAGE = """<!doctype html>
<title>Guestbook</title>
<h1>Guestbook</h1>
<form method="post">
<input name="name" placeholder="your name" maxlength="80" required>
<input name="message" placeholder="what you want to say" maxlength="2000" required>
<button>Write</button>
</form>
<ul>
{entries}</ul>
<p>Seen {views} times. Version {version}.</p>
"""


def render(entries, views, version):
    """Entries are pairs of a name and a message, the newest first."""
    lines = "".join(f"<li><b>{html.escape(name)}</b>: {html.escape(message)}</li>\n" for name, message in entries)
    return PAGE.format(entries=lines, views=int(views), version=html.escape(version))
