"""`gantry image save` and `load`: through files and pipes, whole or not at all."""

import gzip
import os
import subprocess

import e2e


class Archives(e2e.Case):
    def setUp(self):
        super().setUp()
        self.name = "gantry-e2e-" + os.path.basename(self.home)[-8:].lower().replace("_", "x")
        self.tag = self.name + ":1"
        self.engine.call("POST", f"/images/{e2e.IMAGE}/tag?repo={self.name}&tag=1")
        self.addCleanup(self.engine.call, "DELETE", f"/images/{self.tag}")

    def is_there(self):
        return self.engine.call("GET", f"/images/{self.tag}/json")[0] == 200

    def forget(self):
        self.engine.call("DELETE", f"/images/{self.tag}")
        self.assertFalse(self.is_there())

    def file(self, name):
        return os.path.join(self.home, name)

    def test_a_file_brings_an_image_back_that_was_removed(self):
        done = self.gantry("image", "save", self.tag, "-o", "image.tar")
        self.assertEqual((done.stdout, done.stderr), (b"", b""))
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith("image.tar")], ["image.tar"])
        self.forget()
        self.assertEqual(self.gantry("image", "load", "image.tar").stdout.decode(), self.tag + "\n")
        self.assertTrue(self.is_there())

    def test_a_pipe_does_too_and_so_does_a_compressed_archive(self):
        archive = self.gantry("image", "save", self.tag).stdout
        self.assertGreater(len(archive), 1_000_000)
        self.forget()
        self.assertEqual(self.gantry("image", "load", input=archive).stdout.decode(), self.tag + "\n")
        self.forget()
        e2e.write(self.file("image.tar.gz"), gzip.compress(archive, 1))
        self.assertEqual(self.gantry("image", "load", "image.tar.gz").stdout.decode(), self.tag + "\n")

    def test_a_name_without_a_tag_is_the_latest_alone(self):
        self.gantry("image", "save", self.name, "-o", "image.tar", expect=2)  # there is only :1
        self.engine.call("POST", f"/images/{e2e.IMAGE}/tag?repo={self.name}&tag=latest")
        self.addCleanup(self.engine.call, "DELETE", f"/images/{self.name}:latest")
        archive = self.gantry("image", "save", self.name).stdout
        self.assertEqual(self.gantry("image", "load", input=archive).stdout.decode(), self.name + ":latest\n")

    def test_what_fails_leaves_the_file_as_it_was(self):
        e2e.write(self.file("image.tar"), "precious")
        done = self.gantry("image", "save", self.tag, "no-such-image:1", "-o", "image.tar", expect=2)
        self.assertIn("no such image: no-such-image:1", done.stderr.decode())
        with open(self.file("image.tar"), encoding="ascii") as file:
            self.assertEqual(file.read(), "precious")
        self.assertEqual([name for name in os.listdir(self.home) if name.startswith("image.tar")], ["image.tar"])
        self.gantry("image", "save", self.tag, "-o", "no/such/folder", expect=2)
        self.assertIn(b"'/tmp/x' is not an image", self.gantry("image", "save", self.tag, "/tmp/x", "-o", "y.tar", expect=2).stderr)
        for verb in ("inspect", "rm", "pull"):
            self.assertIn(b"'/tmp/x' is not an image", self.gantry("image", verb, "/tmp/x", expect=2).stderr)
        self.gantry("image", "save", self.tag, "-o", "/dev/null", expect=2)

    def test_what_is_no_archive_is_refused_with_what_to_do(self):
        whole = self.gantry("image", "save", self.tag).stdout
        for archive in (b"", b"rubbish" * 1000, whole[:len(whole) // 2], gzip.compress(whole, 1)[:100_000]):
            done = self.gantry("image", "load", input=archive, expect=2)
            self.assertEqual(done.stdout, b"")
            self.assertIn("archive", done.stderr.decode())
        self.gantry("image", "load", "missing.tar", expect=2)
        self.gantry("image", "load", self.home, expect=2)

    def test_a_reader_that_goes_away_ends_it(self):
        save = subprocess.Popen([e2e.GANTRY, "image", "save", self.tag], env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        save.stdout.read(1000)
        save.stdout.close()
        said = save.stderr.read().decode()
        save.stderr.close()
        self.assertEqual(save.wait(e2e.LIMIT), 3, said)
        self.assertIn("standard output", said)


if __name__ == "__main__":
    e2e.main()
