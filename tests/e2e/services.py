"""Services and their gates on a real engine."""

import os
import textwrap

import e2e

# Answers every connection with a page, as long as it lives.
HTTPD = "mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 8080 -h /www"


class Services(e2e.Case):
    def stage(self, services, run, more=""):
        return (f"defaults: {{ image: {e2e.IMAGE} }}\nstages:\n- name: test\n{textwrap.indent(more, '  ')}"
                f"  services:\n{textwrap.indent(textwrap.dedent(services), '    ')}"
                f"  steps: [{{ name: one, run: {run!r} }}]\n")

    def run_it(self, services, run="true", expect=0, **options):
        folder = self.folder(self.stage(services, run))
        return self.gantry("run", folder, expect=expect, **options)

    def test_a_step_reaches_its_service_by_name_and_alias(self):
        self.run_it(f"""
            web:
              image: {e2e.IMAGE}
              command: [sh, -c, "{HTTPD}"]
              networks: {{ default: {{ aliases: [backend] }} }}
              healthcheck: {{ test: [CMD, wget, -q, -O, /dev/null, "http://localhost:8080/"], interval: 1s }}
            """, "wget -q -O - http://web:8080/ && wget -q -O - http://backend:8080/")

    def test_steps_with_a_shared_network_reach_it_too(self):
        folder = self.folder(textwrap.dedent(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: test
                services:
                  web: {{ image: {e2e.IMAGE}, command: [sh, -c, "{HTTPD}"], ready: {{ tcp: 8080 }} }}
                steps:
                  - {{ run: wget -q -O - http://web:8080/ }}
                  - {{ run: wget -q -O - http://web:8080/ }}
                  - {{ run: wget -q -O - http://web:8080/ }}
                  - {{ run: wget -q -O - http://web:8080/ }}
            """))
        self.gantry("run", folder)

    def test_ready_by_port_page_and_line(self):
        self.run_it(f"""
            port: {{ image: {e2e.IMAGE}, command: [sh, -c, "sleep 0.5; {HTTPD}"], ready: {{ tcp: 8080 }} }}
            page: {{ image: {e2e.IMAGE}, command: [sh, -c, "sleep 0.5; {HTTPD}"], ready: {{ http: ":8080/index.html" }} }}
            line: {{ image: {e2e.IMAGE}, command: [sh, -c, "sleep 0.5; echo up and running; sleep 1000"], ready: {{ log: "^up and" }} }}
            """, "wget -q -O - http://port:8080/ && wget -q -O - http://page:8080/")

    def test_the_gate_does_not_wait_for_the_interval(self):
        folder = self.folder(self.stage(f"""
            db:
              image: {e2e.IMAGE}
              command: [sh, -c, "sleep 1; touch /up; sleep 1000"]
              healthcheck: {{ test: [CMD, test, -e, /up], interval: 30s }}
            """, "true"))
        run = self.start(folder)
        ready = run.until("service_ready", step="services/db")
        self.assertEqual(run.end(), 0)
        self.assertLess(ready["duration_ns"], 20e9)

    def test_probe_declared_takes_the_word_of_the_engine(self):
        self.run_it(f"""
            db:
              image: {e2e.IMAGE}
              command: [sleep, "1000"]
              probe: declared
              healthcheck: {{ test: [CMD, "true"], interval: 1s }}
            """)

    def test_a_service_that_never_gets_healthy_says_why(self):
        done = self.run_it(f"""
            db:
              image: {e2e.IMAGE}
              command: [sh, -c, "echo cannot find my data; sleep 1000"]
              healthcheck: {{ test: "echo no response; exit 3", interval: 500ms, retries: 2 }}
            """, expect=3)
        text = done.stderr.decode()
        self.assertRegex(text, r"service db was not ready after \d+(\.\d)?s: its healthcheck says exit code 3: no response")
        self.assertIn("cannot find my data", text)
        self.assertIn("gantry logs 1 services/db", text)
        self.assertEqual(self.gantry("logs", "1", "db").stdout, b"cannot find my data\n")

    def test_a_healthcheck_that_hangs(self):
        done = self.run_it(f"""
            db:
              image: {e2e.IMAGE}
              command: [sleep, "1000"]
              healthcheck: {{ test: [CMD, sleep, "1000"], interval: 500ms, timeout: 300ms, retries: 2 }}
            """, expect=3)
        self.assertIn("no answer within 300ms", done.stderr.decode())
        self.assertIn("healthcheck: {retries, interval, start_period}", done.stderr.decode())
        self.assertEqual(self.show()["stages"][0]["cause"], "service_unhealthy")

    def test_what_the_last_probe_said_is_told(self):
        check = "test: \"echo probe says no; exit 3\""
        said = "last probe: exit code 3: probe says no"
        for command, more, healthcheck, message in (
                ("sleep 1.5; exit 7", "", check, f"exit code 7; {said}"),
                ("sleep 1.5; exit 0", "", check, f"ended with exit code 0 before it was ready; {said}"),
                ("sleep 1000", "probe: declared, ", check + ", interval: 500ms, retries: 2", f"says unhealthy; {said}"),
                ("sleep 2; exit 5", "probe: declared, ", check + ", interval: 500ms, retries: 90", f"exit code 5; {said}"),
                ("sleep 1.5; exit 7", "", "test: \"echo thinks long; sleep 1000\"", "thinks long")):
            done = self.run_it(f"""
                db: {{ image: {e2e.IMAGE}, {more}command: [sh, -c, "{command}"], healthcheck: {{ {healthcheck} }} }}
                """, expect=3)
            self.assertIn(message, done.stderr.decode())

    def test_probes_that_hang_are_ended_and_do_not_pile_up(self):
        self.run_it(f"""
            db:
              image: {e2e.IMAGE}
              pids_limit: 20
              command: [sh, -c, "sleep 10; touch /up; sleep 1000"]
              healthcheck: {{ test: "test -e /up || sleep 1000", interval: 100ms, timeout: 200ms, retries: 90 }}
            """)

    def test_a_service_that_dies_under_a_step(self):
        done = self.run_it(f"""
            db: {{ image: {e2e.IMAGE}, command: [sh, -c, "echo last words; sleep 1; exit 4"] }}
            """, "sleep 1000", expect=3)
        text = done.stderr.decode()
        self.assertIn("service db ended while it was needed: exit code 4", text)
        self.assertIn("last words", text)

    def test_out_of_memory_names_the_limit(self):
        done = self.run_it(f"""
            db:
              image: {e2e.IMAGE}
              mem_limit: 16m
              command: [sh, -c, "sleep 0.5; dd if=/dev/zero of=/dev/null bs=64M count=1000 || sleep 1; exit 1"]
            """, "sleep 1000", expect=3) # a second, so that the engine hears of the kill before the end: it may not, otherwise
        self.assertIn("service db ended while it was needed: out of memory: its limit is 16 MiB", done.stderr.decode())

    def test_order_and_one_shots(self):
        done = self.run_it(f"""
            web:
              image: {e2e.IMAGE}
              command: [sh, -c, "cut -d. -f1 /proc/uptime; sleep 1000"]
              depends_on: {{ seed: {{ condition: service_completed_successfully }}, db: {{ condition: service_healthy }} }}
            seed: {{ image: {e2e.IMAGE}, command: [sh, -c, "sleep 1; cut -d. -f1 /proc/uptime"], depends_on: [db] }}
            db: {{ image: {e2e.IMAGE}, command: [sh, -c, "cut -d. -f1 /proc/uptime; sleep 1000"], ready: {{ log: "[0-9]" }} }}
            """)
        self.assertIn(b"services/web is ready", done.stderr)
        times = [int(self.gantry("logs", "1", name).stdout) for name in ("db", "seed", "web")]
        self.assertEqual(times, sorted(times))

    def test_a_step_that_depends_on_a_one_shot_sees_what_it_made(self):
        folder = self.folder(textwrap.dedent(f"""
            volumes: {{ v: {{}} }}
            stages:
              - name: t
                image: {e2e.IMAGE}
                services:
                  seed: {{ image: {e2e.IMAGE}, command: [sh, -c, "sleep 1; echo seeded > /w/x"], volumes: ["v:/w"] }}
                steps: [{{ run: cat /w/x, volumes: ["v:/w"], depends_on: {{ seed: {{ condition: service_completed_successfully }} }} }}]
            """))
        self.assertIn(b"seeded", self.gantry("run", folder).stdout)

    def test_volumes_from_a_service_that_has_a_tmpfs(self):
        folder = self.folder(textwrap.dedent(f"""
            volumes: {{ v: {{}} }}
            stages:
              - name: t
                image: {e2e.IMAGE}
                services:
                  db:
                    image: {e2e.IMAGE}
                    command: [sh, -c, "echo kept > /data/x; exec sleep 1000"]
                    volumes: [{{ type: tmpfs, target: /scratch }}, "v:/data"]
                    healthcheck: {{ test: [CMD, test, -s, /data/x], interval: 1s }}
                steps: [{{ run: cat /data/x, volumes_from: [db] }}]
            """))
        self.assertIn(b"kept", self.gantry("run", folder).stdout)

    def test_files_below_a_tmpfs_and_in_a_read_only_container(self):
        folder = self.folder(textwrap.dedent(f"""
            stages:
              - name: t
                image: {e2e.IMAGE}
                services:
                  hardened:
                    image: {e2e.IMAGE}
                    read_only: true
                    tmpfs: [/run]
                    command: [sh, -c, "cat /run/secrets/a /run/secrets/deep/b /etc/deep/c/d && exec sleep 1000"]
                    files:
                      - {{ content: "one ", target: /run/secrets/a }}
                      - {{ content: "two ", target: /run/secrets/deep/b }}
                      - {{ content: "three", target: /etc/deep/c/d }}
                  plain:
                    image: {e2e.IMAGE}
                    tmpfs: [/run]
                    command: [sh, -c, "cat /run/secrets/a && exec sleep 1000"]
                    files: [{{ content: four, target: /run/secrets/a }}]
                steps:
                  - {{ run: "true" }}
                  - name: reads
                    read_only: true
                    tmpfs: [/run]
                    secret_files: {{ /run/keys/k: K, /run/keys/deep/l: L }}
                    run: test "$(cat /run/keys/k /run/keys/deep/l)" = value-of-kvalue-of-l && echo both are there
            """))
        ran = self.gantry("run", folder, env={"GANTRY_SECRET_K": "value-of-k", "GANTRY_SECRET_L": "value-of-l"})
        self.assertIn(b"both are there", ran.stdout)
        self.assertEqual(self.gantry("logs", "latest", "hardened").stdout, b"one two three")
        self.assertEqual(self.gantry("logs", "latest", "plain").stdout, b"four")

    def test_environment_comes_from_the_file_and_its_env_file_alone(self):
        folder = self.folder(self.stage(f"""
            db:
              image: {e2e.IMAGE}
              env_file: db.env
              environment: {{ TWO: mine }}
              command: [sh, -c, "env | sort; sleep 1000"]
              ready: {{ log: "^TWO=" }}
            """, "true"), {"db.env": "ONE=1\nTWO=2\n"})
        self.gantry("run", folder)
        printed = self.gantry("logs", "1", "db").stdout.decode()
        self.assertIn("ONE=1\n", printed)
        self.assertIn("TWO=mine\n", printed)
        self.assertNotIn("CI", printed)

    def test_an_unhealthy_moment_after_the_gate_is_told(self):
        folder = self.folder(self.stage(f"""
            db:
              image: {e2e.IMAGE}
              command: [sh, -c, "touch /up; sleep 1000"]
              healthcheck: {{ test: [CMD, test, -e, /up], interval: 300ms, retries: 1 }}
            """, "sleep 1000"))
        run = self.start(folder)
        run.until("step_started")
        database = self.engine.container_of("services/db", instance=self.instance())
        self.engine.run_in(database, ["rm", "/up"])
        run.until("service_health", message="unhealthy")
        self.engine.run_in(database, ["touch", "/up"])
        run.until("service_health", message="healthy")
        run.signal(2)
        self.assertEqual(run.end(), 130)
        self.assertEqual(self.show()["stages"][0]["services"][0]["lapses"], 1)
        self.assertIn("unhealthy once after it was ready", self.gantry("show").stdout.decode())

    def test_cancel_while_it_comes_up(self):
        folder = self.folder(self.stage(f"""
            db: {{ image: {e2e.IMAGE}, command: [sleep, "1000"], ready: {{ tcp: 5432 }} }}
            """, "true"))
        run = self.start(folder)
        run.until("service_started")
        run.signal(2)
        self.assertEqual(run.end(), 130)

    def test_kill_9_leaves_nothing_that_the_next_command_does_not_remove(self):
        folder = self.folder(self.stage(f"""
            db: {{ image: {e2e.IMAGE}, command: [sleep, "1000"] }}
            """, "sleep 1000"))
        run = self.start(folder)
        run.until("step_started")
        run.signal(9)
        run.end()
        self.gantry("ps")
        self.assert_nothing_left()

    def test_files_of_the_workspace_and_of_the_pipeline(self):
        folder = self.folder(self.stage(f"""
            web:
              image: {e2e.IMAGE}
              command: [httpd, -f, -p, "8080", -h, /www]
              files:
                - {{ source: site, target: /www }}
                - {{ source: one.txt, target: /www/sub/two.txt, mode: 0o600, uid: 5 }}
                - {{ content: "hello\n", target: /www/three.txt }}
              ready: {{ http: ":8080/three.txt" }}
            """, "wget -qO- http://web:8080/index.html && wget -qO- http://web:8080/sub/two.txt"),
            {"site/index.html": "page\n", "one.txt": "one\n"})
        done = self.gantry("run", folder)
        self.assertIn(b"page\n", done.stdout)
        self.assertIn(b"one\n", done.stdout)

    def test_links_lead_to_the_files_of_services(self):
        folder = self.folder(self.stage(f"""
            web:
              image: {e2e.IMAGE}
              command: [httpd, -f, -p, "8080", -h, /www]
              files:
                - {{ source: pages, target: /www }}
                - {{ source: pages/first, target: /www/second }}
              ready: {{ http: ":8080/index.html" }}
            """, "wget -qO- http://web:8080/index.html && wget -qO- http://web:8080/second"), {"site/index.html": "page\n"})
        os.symlink("site", os.path.join(folder, "pages"))
        os.symlink("../pages/index.html", os.path.join(folder, "site", "first"))
        self.assertEqual(self.gantry("run", folder).stdout.count(b"| page\n"), 2)
        os.unlink(os.path.join(folder, "pages"))
        os.symlink("/etc", os.path.join(folder, "pages"))
        done = self.gantry("run", folder, expect=2)
        self.assertIn("'/workspace/pages' is a link to '/etc', which is not in the workspace", done.stderr.decode())
        self.assert_nothing_left()

    def test_a_file_that_is_not_in_the_workspace_is_told(self):
        for missing in ("db/shcema.sql", "db/schema.sql/behind"):
            folder = self.folder(self.stage(f"""
                web:
                  image: {e2e.IMAGE}
                  command: [sleep, "1000"]
                  files: [{{ source: {missing}, target: /init.sql }}]
                """, "true"), {"db/schema.sql": ""})
            done = self.gantry("run", folder, expect=2)
            self.assertIn(f"there is no '{missing}' in the workspace", done.stderr.decode())
            self.assert_nothing_left()

    def test_a_service_that_is_built_first(self):
        folder = self.folder(self.stage("""
            web:
              build: ./web
              ready: { tcp: 8080 }
            """, "wget -qO- http://web:8080/"),
            {"web/Dockerfile": f"FROM {e2e.IMAGE}\nCOPY page /www/index.html\nCMD httpd -f -p 8080 -h /www\n", "web/page": "built\n"})
        done = self.gantry("run", folder)
        self.assertIn(b"built\n", done.stdout)

    def test_a_service_that_cannot_be_built(self):
        folder = self.folder(self.stage("""
            web: { build: ./web }
            """, "true"), {"web/Dockerfile": f"FROM {e2e.IMAGE}\nRUN echo no such thing && exit 7\n"})
        done = self.gantry("run", folder, expect=None)
        self.assertIn(done.returncode, (1, 3))
        self.assertIn("the image of service web was not built", done.stderr.decode())
        self.assertIn("no such thing", done.stderr.decode())

    def test_network_and_volumes_of_another_service(self):
        self.run_it(f"""
            web: {{ image: {e2e.IMAGE}, command: [sh, -c, "{HTTPD}"], ready: {{ tcp: 8080 }}, volumes: [/data] }}
            side:
              image: {e2e.IMAGE}
              network_mode: service:web
              volumes_from: [web]
              depends_on: {{ web: {{ condition: service_healthy }} }}
              command: [sh, -c, "wget -qO- http://localhost:8080/ && touch /data/seen && echo all right && sleep 1000"]
              ready: {{ log: "^all right" }}
            """)

    def test_volumes_and_networks_of_the_file_and_of_a_stage(self):
        shown = self.run_pipeline(textwrap.dedent(f"""
            defaults: {{ image: {e2e.IMAGE} }}
            volumes: {{ kept: {{}}, own: {{ scope: stage }} }}
            networks: {{ back: {{ internal: true }} }}
            stages:
              - name: one
                steps:
                  - run: echo one > /kept/one && echo one > /own/one
                    volumes: ["kept:/kept", "own:/own"]
              - name: two
                services:
                  db: {{ image: {e2e.IMAGE}, command: [sh, -c, "{HTTPD}"], ready: {{ tcp: 8080 }}, networks: [back] }}
                steps:
                  - run: test -e /kept/one && test ! -e /own/one && wget -qO- http://db:8080/
                    volumes: ["kept:/kept", "own:/own"]
                    networks: [back]
            """))
        self.assertEqual(shown["state"], "success")

    def test_a_log_that_the_engine_rotates_costs_no_byte(self):
        folder = self.folder(self.stage(f"""
            talker:
              image: {e2e.IMAGE}
              command: [sh, -c, "seq -w 5000; echo said it all; sleep 1000"]
              ready: {{ log: "^said it all" }}
              logging: {{ driver: json-file, options: {{ max-size: 1k, max-file: "2" }} }}
            """, "sleep 1000"))
        run = self.start(folder)
        run.until("step_started")
        name = self.engine.container_of("services/talker", instance=self.instance())
        kept = self.engine.get(f"/containers/{name}/json")["HostConfig"]["LogConfig"]
        self.assertEqual(kept, {"Type": "json-file", "Config": {"max-size": "1k", "max-file": "2"}})
        kept = self.engine.call("GET", f"/containers/{name}/logs?stdout=1")[1]
        self.assertLess(len(kept), 10000, "the engine keeps a part")
        run.signal(2)
        self.assertEqual(run.end(), 130)
        everything = "".join(f"{number:04}\n" for number in range(1, 5001)) + "said it all\n"
        self.assertEqual(self.gantry("logs", "1", "talker").stdout.decode(), everything)


if __name__ == "__main__":
    e2e.main()
