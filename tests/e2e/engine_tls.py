"""dockerd at a port, with mutual TLS of its own: the contract of engines, and a pipeline."""

import unittest

import contract
import e2e
from private_engine import PrivateEngine, why_not_here
from tls_front import Keys


@unittest.skipIf(why_not_here(), why_not_here())
class EngineTls(e2e.Case):
    @classmethod
    def setUpClass(cls):
        cls.keys = Keys()
        cls.addClassCleanup(cls.keys.remove)
        cls.engine = PrivateEngine(1)
        cls.addClassCleanup(cls.engine.close)
        listener, port = e2e.loopback_socket()
        listener.close()
        cls.host = f"tcp://127.0.0.1:{port}"
        cls.engine.start("--host", cls.host, "--tlsverify", "--tlscacert", cls.keys.path("ca.pem"),
                         "--tlscert", cls.keys.path("server.pem"), "--tlskey", cls.keys.path("server-key.pem"))
        cls.engine.take_image(f"{e2e.IMAGE}:latest")

    def setUp(self):
        super().setUp()
        self.environment.update(DOCKER_HOST=self.host, DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH=self.keys.folder)

    def test_the_contract_of_engines(self):
        contract.assert_kept(self)

    def test_a_pipeline_hands_over_files_and_outputs(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            steps:
              - {{ name: makes, run: 'cat given > made; echo value=7 >> $CI_OUTPUT' }}
              - {{ name: reads, run: 'cat made; echo ${{{{ steps.makes.outputs.value }}}}' }}
        """, {"given": "words\n"})
        self.gantry("run", folder)
        self.assertEqual(self.logs("reads"), b"words\n7\n")

    def test_without_a_key_it_says_what_is_missing(self):
        failed = self.gantry("run", self.folder(f"image: {e2e.IMAGE}\nsteps: ['true']\n"), expect=2, env={"DOCKER_CERT_PATH": self.home})
        self.assertIn(b"ca.pem", failed.stderr)


if __name__ == "__main__":
    e2e.main()
