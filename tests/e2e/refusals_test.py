"""Why a server of fish_main does not come up: each reason is said in one line, with what to do."""
import os
import pathlib
import socket
import sqlite3
import unittest

from cli_test import Case, environment


class Refusals(Case):
    """Why a server does not come up. Each is said once, in one line, and harms no file."""

    def refused(self, *flags, says, env=None):
        text = self.fails(1, "serve", "--listen", "127.0.0.1:0", "--log", "off", *flags, says=says, env=env)
        self.assertEqual(text.count("\n"), 1, text)

    def test_unset_variable(self):
        env = environment()
        del env["FISH_E2E_PEER"]
        self.refused(says=("'nobody'", "url", "${FISH_E2E_PEER}", "not set"), env=env)
        self.assertEqual(os.listdir(self.folder), [])

    def test_peer_without_a_scheme(self):
        self.refused(says=("'nobody'", "'partner:80'"), env=environment(FISH_E2E_PEER="partner:80"))

    def test_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.refused("--listen", address, says=address)
            # The store was not left locked, nor the flows in it harmed.
            self.serve()

    def test_foreign_store(self):
        path = pathlib.Path(self.folder, "other.db")
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE invoices (id)")
        other.close()
        before = path.read_bytes()
        self.refused("--store", "other.db", says="other.db")
        self.assertEqual(path.read_bytes(), before)

    def test_store_that_is_no_database(self):
        path = pathlib.Path(self.folder, "letter.db")
        path.write_text("Dear Sir or Madam, this is a letter and no database.\n" * 100)
        before = path.read_bytes()
        self.refused("--store", "letter.db", says="letter.db")
        self.assertEqual(path.read_bytes(), before)

    def test_newer_store(self):
        self.serve().end()
        with sqlite3.connect(pathlib.Path(self.folder, "echo.db")) as store:
            version = store.execute("PRAGMA user_version").fetchone()[0]
            store.execute(f"PRAGMA user_version = {version + 1}")
        store.close()
        self.refused(says=("echo.db", "newer"))

    def test_store_in_no_folder(self):
        self.refused("--store", "nowhere/x.db", "--socket", "s", says="nowhere/x.db")

    def test_store_where_nobody_may_write(self):
        self.refused("--store", "/proc/echo.db", "--socket", "s", says="/proc/echo.db")

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_unwritable_store(self):
        self.serve().end()
        os.chmod(pathlib.Path(self.folder, "echo.db"), 0o400)
        self.refused(says="echo.db")

    def test_second_server_on_a_store(self):
        first = self.serve()
        self.refused(says="echo.db")
        flow = self.works("start", "greet", "{}", "--wait", "20s").split()[0]
        self.assertEqual(self.show(flow)["status"], "done")       # the first one did not notice
        self.assertEqual(first.end()[0], 0)

    def test_socket_of_another_server(self):
        self.serve("--socket", "s")
        self.refused("--store", ":memory:", "--socket", "s", says="unix:s")

    def test_socket_where_a_file_lies(self):
        path = pathlib.Path(self.folder, "precious")
        path.write_text("keep me")
        self.refused("--socket", "precious", says="precious")
        self.assertEqual(path.read_text(), "keep me")

    def test_admin_token_for_all_to_read(self):
        path = pathlib.Path(self.folder, "echo.db.token")
        path.write_text("abc\n")
        path.chmod(0o644)
        self.refused("--admin", "127.0.0.1:0", says=("echo.db.token", "chmod 600"))

    def test_admin_token_that_is_no_file(self):
        path = pathlib.Path(self.folder, "echo.db.token")
        path.mkdir()
        self.refused("--admin", "127.0.0.1:0", says=("echo.db.token", "a directory stands there", "FISH_ADMIN_TOKEN"))
        path.rmdir()
        path.symlink_to("elsewhere")
        self.refused("--admin", "127.0.0.1:0", says=("echo.db.token", "a link stands there"))

    def test_short_admin_token(self):
        for token in ("", "t0ken", "x" * 15):
            self.refused("--admin", "127.0.0.1:0", env=environment(FISH_ADMIN_TOKEN=token),
                         says=("FISH_ADMIN_TOKEN", f"{len(token)} characters", "16"))

    def test_places_that_are_not_there(self):
        self.refused("--log", "/nonexistent/x", says=("/nonexistent/x", "a directory that is there"))
        self.refused("--socket", "/nonexistent/s", says=("/nonexistent/s", "no such directory", "make it"))

    def test_things_that_are_no_files(self):
        pathlib.Path(self.folder, "echo.db.running").mkdir()
        self.refused(says=("echo.db.running", "move away what stands there"))
        pathlib.Path(self.folder, "link.db").symlink_to("nowhere.db")
        self.refused("--store", "link.db", says=("link.db", "a link to a file that is not there", "remove the link"))
        self.assertFalse(pathlib.Path(self.folder, "nowhere.db").exists())


if __name__ == "__main__":
    unittest.main()
