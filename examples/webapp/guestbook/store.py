"""What the guestbook keeps: entries are rows in PostgreSQL, and the views of the page a counter in Redis."""

import contextlib

import psycopg2
import psycopg2.errors
import redis


class Store:
    def __init__(self, database_url, redis_url):
        self.database_url = database_url
        self.redis = redis.Redis.from_url(redis_url, socket_timeout=5)

    @contextlib.contextmanager
    def cursor(self):
        """One transaction of a connection of its own."""
        with contextlib.closing(psycopg2.connect(self.database_url, connect_timeout=5)) as connection:
            with connection, connection.cursor() as cursor:
                yield cursor

    def entries(self):
        with self.cursor() as cursor:
            cursor.execute("SELECT name, message FROM entries ORDER BY id DESC LIMIT 100")
            return cursor.fetchall()

    def add(self, name, message):
        """False: the schema does not allow it."""
        try:
            with self.cursor() as cursor:
                cursor.execute("INSERT INTO entries (name, message) VALUES (%s, %s)", (name, message))
            return True
        except (psycopg2.errors.CheckViolation, ValueError):  # a text with a NUL is a ValueError
            return False

    def count_view(self):
        return self.redis.incr("views")

    def problem(self):
        """Why it cannot be used; None when it can."""
        try:
            with self.cursor() as cursor:
                cursor.execute("SELECT 1 FROM entries LIMIT 1")
            self.redis.ping()
            return None
        except (psycopg2.Error, redis.RedisError) as error:
            return str(error)
