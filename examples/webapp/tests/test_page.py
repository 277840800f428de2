"""What needs no service: runs while the image is built."""

import unittest

from guestbook.page import render


class Page(unittest.TestCase):
    def test_shows_entries_views_and_version(self):
        page = render([("Ada", "hello"), ("Bob", "hi")], 3, "1.0")
        self.assertIn("<li><b>Ada</b>: hello</li>\n<li><b>Bob</b>: hi</li>", page)
        self.assertIn("Seen 3 times. Version 1.0.", page)

    def test_what_visitors_write_stays_text(self):
        self.assertIn("<b>&lt;i&gt;</b>: &quot;&amp;", render([("<i>", '"&')], 1, "1.0"))


if __name__ == "__main__":
    unittest.main()
