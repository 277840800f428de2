"""Test and coverage reports on a real engine: what the end of a run says of them, also when they are broken."""

import json
import os

import e2e

PIPELINE = f"""
defaults: {{ image: {e2e.IMAGE} }}
stages:
  - name: test
    steps:
      - name: unit
        run: mkdir -p out/deep && cp junit.xml out/deep/ && cp lcov.info out/ && exit $(cat code)
    artifacts:
      reports: {{ junit: "out/**/junit.xml", coverage: out/lcov.info }}
"""


def junit(*failed, names=("sum", "tax", "load")):
    return "<testsuite name='cart'>" + "".join(
        f"<testcase name='{name}' time='{number}.5' file='cart.c' line='{number}'>"
        + ("<failure message='29 is not 30'/>" if name in failed else "") + "</testcase>"
        for number, name in enumerate(names)) + "</testsuite>"


def lcov(*hits):
    return "SF:cart.c\n" + "".join(f"DA:{number},{hit}\n" for number, hit in enumerate(hits, 1)) + "end_of_record\n"


class Reports(e2e.Case):
    def run_with(self, report, coverage, code=0):
        """What gantry said of a run whose step makes these reports and ends with this code."""
        folder = self.folder(PIPELINE, {"junit.xml": report, "lcov.info": coverage, "code": str(code)})
        done = self.gantry("run", folder, expect=1 if code else 0)
        self.assert_nothing_left()
        return done.stderr.decode()

    def test_the_end_tells_tests_and_coverage_and_what_is_new(self):
        said = self.run_with(junit("tax"), lcov(1, 0, 0, 0), code=1)
        self.assertIn("2 passed, 1 failed (cart › tax), 0 skipped", said)
        self.assertIn("slowest: cart › load 2.5s, cart › tax 1.5s, cart › sum", said)
        self.assertIn("25.0 % of 4 lines\n", said)

        said = self.run_with(junit("tax", "sum"), lcov(1, 1, 0, 0), code=1)
        self.assertIn("1 passed, 2 failed (1 newly), 0 skipped", said)
        self.assertRegex(said, r"✗ cart › sum \(newly\)\n +✗ cart › tax\n")
        self.assertIn("50.0 % of 4 lines, +25.0 since the run before", said)

        said = self.run_with(junit(), lcov(1, 1, 1, 1))
        self.assertIn("3 passed, 0 failed, 0 skipped, 2 fixed", said)

        shown = self.show("2")["stages"][0]
        self.assertEqual((shown["tests"]["failed"], shown["tests"]["newly_failed"]), (2, 1))
        self.assertEqual(shown["coverage"], {"lines": 4, "covered": 2, "percent": 50.0, "earlier_percent": 25.0})
        self.assertRegex(self.gantry("show", "2", "--tests").stdout.decode(),
                         r"^test: 2 of 3 tests failed\n  ✗ cart › sum  cart.c:0\n      29 is not 30\n")
        listed = json.loads(self.gantry("show", "2", "--tests", "--json").stdout)
        self.assertEqual([test["result"] for test in listed[0]["tests"]], ["failed", "failed", "passed"])

    def test_a_broken_report_is_a_warning_and_fails_nothing(self):
        said = self.run_with("<testsuite name='cart'>\n<testcase name='sum'/>\n<testcase name='tax'><fai", "no coverage\n")
        self.assertIn("1 passed, 0 failed, 0 skipped", said)
        self.assertIn("report out/deep/junit.xml: line 3: unclosed token", said)
        self.assertIn("report out/lcov.info: it is neither Cobertura's XML nor an LCOV tracefile", said)

    def test_secrets_in_reports_are_masked_wherever_they_are_kept(self):
        secret = "an-e2e-secret-value"
        pipeline = PIPELINE.replace("cp junit.xml out/deep/", "sed \"s/29/$TOKEN/\" junit.xml > out/deep/junit.xml").replace(
            "      - name: unit\n", "      - name: unit\n        secrets: [TOKEN]\n")
        folder = self.folder(pipeline, {"junit.xml": junit("tax"), "lcov.info": lcov(1), "code": "0"})
        secrets = os.path.join(self.home, "secrets.env")
        e2e.write(secrets, f"TOKEN={secret}\n", 0o600)
        self.gantry("run", "--secret-file", secrets, folder)
        self.assertIn("*** is not 30", self.gantry("show", "--tests").stdout.decode())
        for folder, _, files in os.walk(os.path.join(self.state, "gantry", "runs")):
            for file in files:
                with open(os.path.join(folder, file), "rb") as content:
                    self.assertNotIn(secret.encode(), content.read(), file)

    def test_an_unknown_kind_of_report_is_refused_with_its_position(self):
        folder = self.folder(PIPELINE.replace("{ junit:", "{ junti:"))
        done = self.gantry("check", folder, expect=2)
        self.assertRegex((done.stdout + done.stderr).decode(), r"gantry.yml:9:18: error: .*'junti'")
        self.assertIn("did you mean 'junit'?", (done.stdout + done.stderr).decode())


if __name__ == "__main__":
    e2e.main()
