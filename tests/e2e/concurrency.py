"""`concurrency`: runs and stages of one group, and secrets that later steps get while nobody else sees them."""

import e2e

# Ends when it is told to, and says that it runs.
WAITS = "trap 'exit 0' USR1; echo runs; while :; do sleep 1000 & wait; done"


class Groups(e2e.Case):
    def pipeline(self, more=""):
        return f"concurrency: {{ group: deploy{more} }}\nimage: {e2e.IMAGE}\nsteps: [{{ name: deploy, run: \"{WAITS}\" }}]\n"

    def let_go(self, run):
        self.engine.signal(self.engine.container_of("deploy", instance=self.instance(), run=run), "USR1")

    def test_runs_of_a_group_go_one_after_the_other(self):
        folder = self.folder(self.pipeline())
        first = self.start(folder)
        first.until("output", text="runs")
        second = self.start(folder)
        second.until("waiting")
        self.assertEqual([entry for entry in self.left() if "-2-" in entry and "container" in entry], [])
        self.let_go("1")
        self.assertEqual(first.end(), 0)
        second.until("output", text="runs")
        self.let_go("2")
        self.assertEqual(second.end(), 0)

    def test_cancel_in_progress_ends_the_older_run(self):
        folder = self.folder(self.pipeline(", cancel_in_progress: true"))
        first = self.start(folder)
        first.until("output", text="runs")
        second = self.start(folder)
        first.until("cancel_requested", message="run 2 takes its place")
        self.assertEqual(first.end(), 143)
        second.until("output", text="runs")
        self.let_go("2")
        self.assertEqual(second.end(), 0)

    def test_who_waits_can_be_cancelled(self):
        folder = self.folder(self.pipeline())
        first = self.start(folder)
        first.until("output", text="runs")
        second = self.start(folder)
        second.until("waiting")
        second.signal(2)
        self.assertEqual(second.end(), 130)
        self.let_go("1")
        self.assertEqual(first.end(), 0)

    def test_a_killed_run_gives_its_place_back(self):
        folder = self.folder(self.pipeline())
        first = self.start(folder)
        first.until("output", text="runs")
        first.signal(9)
        first.end()
        second = self.start(folder)
        second.until("output", text="runs")
        self.let_go("2")
        self.assertEqual(second.end(), 0)

    def test_stages_of_a_group_do_not_overlap(self):
        shown = self.run_pipeline(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - {{ name: a, needs: [], concurrency: {{ group: one }}, steps: [{{ name: s, run: "sleep 1; echo t=$(cut -d' ' -f1 /proc/uptime) >> $CI_OUTPUT" }}] }}
              - {{ name: b, needs: [], concurrency: {{ group: one }}, steps: [{{ name: s, run: "echo t=$(cut -d' ' -f1 /proc/uptime) >> $CI_OUTPUT" }}] }}
        """)
        ended = {name: float(step["outputs"]["t"]) for name, step in e2e.steps_of(shown).items()}
        self.assertLess(ended["a/s"], ended["b/s"])

    def test_the_group_of_a_stage_may_be_what_an_earlier_step_said(self):
        live = self.start(self.folder(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - {{ name: a, steps: [{{ name: s, run: "echo to=prod >> $CI_OUTPUT" }}] }}
              - {{ name: b, needs: [a], concurrency: {{ group: "${{{{ steps['a/s'].outputs.to }}}}" }}, steps: [{{ name: deploy, run: "{WAITS}" }}] }}
              - {{ name: c, needs: [a], concurrency: {{ group: prod }}, steps: [{{ name: s, run: "true" }}] }}
        """))
        self.assertIn("in the group prod", live.until("waiting")["message"])
        live.until("output", text="runs")
        self.let_go("1")
        self.assertEqual(live.end(), 0)


if __name__ == "__main__":
    e2e.main()
