"""The application against PostgreSQL and Redis, as they run: $WEB_URL, $DATABASE_URL and $REDIS_URL say where."""

import contextlib
import os
import unittest
import urllib.error
import urllib.parse
import urllib.request

import psycopg2
import redis

WEB = os.environ["WEB_URL"]


def rows(query, *values):
    with contextlib.closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def page():
    with urllib.request.urlopen(WEB, timeout=10) as answer:
        return answer.read().decode()


def write(name, message):
    form = urllib.parse.urlencode({"name": name, "message": message}).encode()
    with urllib.request.urlopen(WEB, form, timeout=10) as answer:
        return answer.read().decode()


class Services(unittest.TestCase):
    def test_the_schema_is_there(self):
        columns = rows("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'entries' ORDER BY 1")
        self.assertEqual(columns, [("id", "bigint"), ("message", "text"), ("name", "text"),
                                   ("written", "timestamp with time zone")])

    def test_an_entry_is_a_row_and_on_the_page(self):
        shown = write("Grace", "ships <b>bugs</b>")
        self.assertIn("<li><b>Grace</b>: ships &lt;b&gt;bugs&lt;/b&gt;</li>", shown)
        self.assertEqual(rows("SELECT message FROM entries WHERE name = %s", "Grace"), [("ships <b>bugs</b>",)])

    def test_an_entry_without_a_name_is_refused(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            write("", "who am I?")
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()
        self.assertEqual(rows("SELECT 1 FROM entries WHERE message = %s", "who am I?"), [])

    def test_views_are_counted_in_redis(self):
        counter = redis.Redis.from_url(os.environ["REDIS_URL"])
        page()
        before = int(counter.get("views"))
        self.assertIn(f"Seen {before + 1} times.", page())
        self.assertEqual(int(counter.get("views")), before + 1)

    @unittest.skipUnless("EXPECTED_VERSION" in os.environ, "any version will do")
    def test_the_version_that_was_asked_for_answers(self):
        self.assertIn(f"Version {os.environ['EXPECTED_VERSION']}.", page())


if __name__ == "__main__":
    unittest.main()
