"""Compose files on a real engine: what they say is what containers and steps find."""

import os
import textwrap

import build
import e2e

COMPOSE = f"""
    x-check: &check {{ interval: 1s, retries: 20 }}
    services:
      web:
        image: {e2e.IMAGE}
        command: sh -c 'mkdir /srv && hostname > /srv/index.html && exec httpd -f -p 8080 -h /srv'
        deploy: {{ replicas: 3, resources: {{ limits: {{ memory: 64M }} }} }}
        healthcheck: {{ <<: *check, test: wget -qO- localhost:8080 }}
        stop_signal: SIGKILL
      writer:
        image: {e2e.IMAGE}
        command: sh -c 'echo $$GREETING > /data/greeting'
        environment: {{ GREETING: }}
        volumes: [data:/data]
        networks: [back]
      info:
        image: {e2e.IMAGE}
        container_name: other-name
        restart: always
        stop_signal: SIGKILL
        entrypoint: [sh, -c]
        command:
          - |
            mkdir /srv
            cat /data/greeting /files/a.txt /run/secrets/token /etc/site.conf > /srv/all
            stat -c '%a %u' /run/secrets/token /etc/site.conf >> /srv/all
            env | grep ^FROM_ | sort >> /srv/all
            exec httpd -f -p 8080 -h /srv
        env_file: web.env
        volumes: ["data:/data:ro", "./files:/files:ro"]
        secrets: [{{ source: token, mode: 0400 }}]
        configs: [{{ source: site, target: /etc/site.conf, mode: 0440, uid: "33" }}]
        depends_on: {{ writer: {{ condition: service_completed_successfully }} }}
        healthcheck: {{ <<: *check, test: [CMD, wget, -qO-, "localhost:8080/all"] }}
        networks: {{ back: {{ aliases: [inner] }} }}
      never: {{ image: gantry.invalid/none, profiles: [debug] }}
    volumes: {{ data: }}
    networks: {{ back: {{ internal: true }} }}
    secrets: {{ token: {{ file: ./secret/token }} }}
    configs: {{ site: {{ content: "site of ${{WHO}}\\n" }} }}
    """

FILES = {
    "docker/compose.yml": textwrap.dedent(COMPOSE),
    "docker/more.yml": "services: { info: { environment: [FROM_OTHER=yes] } }\n",
    "docker/.env": "WHO=nobody\n",
    "docker/web.env": "FROM_FILE=${WHO}\n",
    "docker/files/a.txt": "a file\n",
    "docker/secret/token": "token\n",
}
FOUND = "hello manual\na file\ntoken\nsite of somebody\n400 0\n440 33\nFROM_FILE=somebody\nFROM_OTHER=yes\n"


class Compose(e2e.Case):
    def test_services_of_merged_files_have_what_the_files_say(self):
        folder = self.folder(f"""
            env: {{ GREETING: "hello ${{{{ event }}}}", WHO: somebody }}
            defaults: {{ image: {e2e.IMAGE} }}
            stages:
              - name: test
                matrix: {{ row: [a, b] }}      # each with volumes and networks of its own
                compose: [docker/compose.yml, docker/more.yml]
                steps:
                  - name: all
                    run: wget -qO- http://info:8080/all && wget -qO /dev/null http://other-name:8080/all
                  - name: replicas
                    run: for name in web web-1 web-2 web-3; do wget -qO- "http://$name:8080/"; done
            """, FILES)
        self.gantry("run", folder)
        for row in "ab":
            self.assertEqual(self.logs(f"test[row={row}]/all").decode(), FOUND)
            names = self.logs(f"test[row={row}]/replicas").decode().split()
            self.assertEqual(len(set(names[1:])), 3)
            self.assertIn(names[0], names[1:])
        self.assert_nothing_left()

    def test_a_folder_that_is_bound_and_is_not_there_is_empty_and_told(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            compose: compose.yml
            steps: ["wget -qO- http://web:8080/it"]
            """, {"compose.yml": f"""
services:
  web:
    image: {e2e.IMAGE}
    volumes: ["./data:/data"]
    command: [sh, -c, "mkdir /www; ls -A /data > /www/it && echo looked >> /www/it; exec httpd -f -p 8080 -h /www"]
    healthcheck: {{ test: "wget -qO- localhost:8080/it" }}
"""})
        done = self.gantry("run", folder)
        self.assertIn(b"looked\n", done.stdout)
        self.assertIn("there is no 'data' in the workspace, and so /data is an empty folder", done.stderr.decode())

    def test_services_run_what_one_of_their_stage_builds_just_now(self):
        name = "gantry-e2e-" + os.path.basename(self.home)[-8:].lower().replace("_", "x") + ":1"
        build.add_clean_up(self)
        pipeline = f"""
            stages:
              - name: test
                image: {e2e.IMAGE}
                compose: compose.yml
                steps: ["wget -qO- http://worker:8080/word; wget -qO- http://web-2:8080/word"]
              - name: later
                needs: [test]
                steps: [{{ name: use, image: "{name}", run: cat /www/word }}]
            """
        files = {"web/Dockerfile": f"FROM {e2e.IMAGE}\nCOPY word /www/word\nRUN sleep 1\nCMD httpd -f -p 8080 -h /www\n",
                 "compose.yml": f"""
services:
  worker:
    image: {name}
    depends_on: {{ web: {{ condition: service_started }} }}
    healthcheck: {{ test: "wget -qO- localhost:8080/word" }}
  web: {{ image: "{name}", build: ./web, scale: 3, healthcheck: {{ test: "wget -qO- localhost:8080/word" }} }}
"""}
        for word in ("first", "second"):
            done = self.gantry("run", self.folder(pipeline, {**files, "web/word": word + "\n"}))
            self.assertEqual(self.logs("use").decode(), word + "\n")
            self.assertEqual(done.stdout.decode().count(word + "\n"), 3)
            self.assertIn("Dockerfile:3 RUN sleep 1", self.logs("services/web-1").decode())
            for other in ("worker", "web-2", "web-3"):
                self.assertNotIn("Dockerfile", self.logs(f"services/{other}").decode())

    def test_a_build_that_fails_ends_the_stage_with_the_name_of_its_service(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            compose: compose.yml
            steps: [x]
            """, {"Dockerfile": f"FROM {e2e.IMAGE}\nRUN echo no such thing && exit 7\n",
                  "compose.yml": "services:\n  worker: { image: 'gantry.invalid/shop:1', pull_policy: never }\n"
                                 "  web: { image: 'gantry.invalid/shop:1', build: . }\n"})
        done = self.gantry("run", folder, expect=1)
        self.assertIn("the image of service web was not built", done.stderr.decode())
        self.assertNotIn("gantry.invalid/shop", done.stderr.decode())

    def test_what_is_not_honoured_is_refused_where_it_stands(self):
        folder = self.folder(f"""
            image: {e2e.IMAGE}
            compose: compose.yml
            steps: [x]
            """, {"compose.yml": "services:\n  a:\n    image: x\n    tty: true\n    prots: [80]\n"})
        for command in ("check", "run"):
            refused = self.gantry(command, folder, expect=2).stderr.decode()
            self.assertIn("compose.yml:4:5: error: 'tty' of a service is not supported", refused)
            self.assertIn("compose.yml:5:5: error: unknown key 'prots'", refused)
        self.assertIsNone(self.instance(), "nothing was begun")


if __name__ == "__main__":
    e2e.main()
