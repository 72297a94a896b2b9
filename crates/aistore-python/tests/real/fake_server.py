"""What takes a server that answers as a test says; its rules are in `main.rs`. ENDPOINT names it."""

import _thread
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator

import pydist_aistore as ais
from pydist_aistore import Client

ENDPOINT = os.environ["ENDPOINT"]


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class FakeServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        # A shell lets what it starts in the background ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def setUp(self) -> None:
        self.client = Client(ENDPOINT, busy_timeout=0)

    def test_other_threads_run_while_one_waits(self) -> None:
        # The server answers `wait-for/X` when it is asked for `X`, and gives up after a while. Who holds the
        # interpreter's lock while it waits keeps the other from asking.
        answers: dict[str, bytes] = {}

        def other() -> None:
            answers["the main thread waits"] = self.client.get_object("special", "wait-for/wait-for/one")
            self.client.get_object("special", "one")
            answers["another waits"] = self.client.get_object("special", "wait-for/two")

        thread = threading.Thread(target=other)
        thread.start()
        self.assertEqual(self.client.get_object("special", "wait-for/one"), b"seen")
        self.assertEqual(self.client.get_object("special", "wait-for/wait-for/two"), b"seen")
        self.client.get_object("special", "two")
        thread.join()
        self.assertEqual(answers, {"the main thread waits": b"seen", "another waits": b"seen"})

    def test_many_threads_wait_at_once(self) -> None:
        # None of these is answered before all are asked.
        answers: list[bytes] = []
        ask = lambda number: answers.append(self.client.get_object("special", f"all/{number}"))  # noqa: E731
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, [b"seen"] * 16)

    def test_an_interrupt_is_heard_while_waiting(self) -> None:
        def interrupt() -> None:
            self.client.get_object("special", "wait-for/wait-for/the-end")
            _thread.interrupt_main()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            self.client.get_object("special", "wait-for/the-end")
        thread.join()
        self.assertEqual(self.client.get_object("special", "the-end"), b"special", "the client goes on")

    def test_an_interrupted_get_leaves_no_file(self) -> None:
        def interrupt() -> None:
            self.client.get_object("special", "wait-for/wait-for/the-rest")
            _thread.interrupt_main()

        with tempfile.TemporaryDirectory() as folder:
            thread = threading.Thread(target=interrupt)
            thread.start()
            with self.assertRaises(KeyboardInterrupt):
                self.client.get_object("special", "wait-for/the-rest", path=os.path.join(folder, "file"))
            thread.join()
            self.client.get_object("special", "the-rest")
            # What was begun is removed when its thread ends.
            while left := os.listdir(folder):
                self.assertNotIn("file", left)

    def test_each_reason_has_its_class(self) -> None:
        cases = [
            ("400/ErrBucketAlreadyExists", ais.AlreadyExists),
            ("409/ErrBucketAlreadyExists", ais.AlreadyExists),
            ("409/ErrLimitedCoexistence", ais.Busy),
            ("404/ErrBckNotFound", ais.BucketNotFound),
            ("404/ErrRemoteBckNotFound", ais.BucketNotFound),
            ("404/ErrXactNotFound", ais.NotFound),
            ("401/-", ais.Unauthorized),
            ("403/-", ais.Forbidden),
            ("416/-", ais.RangeNotSatisfiable),
            ("507/ErrCapExceeded", ais.OutOfSpace),
            ("500/ErrBadCksum", ais.ChecksumMismatch),
            ("501/ErrUnsupp", ais.NotSupported),
            ("405/-", ais.NotAllowed),
            ("500/ErrNoNodes", ais.NoTargets),
            ("418/-", ais.Refused),
            ("400/-", ais.Refused),
        ]
        for name, expected in cases:
            with self.subTest(name), self.assertRaises(ais.AisError) as caught:
                self.client.get_object("special", f"refuse/{name}")
            self.assertIs(type(caught.exception), expected, name)
            status, code = name.split("/")
            self.assertEqual((caught.exception.status, caught.exception.type), (int(status), None if code == "-" else code))
            again = pickle.loads(pickle.dumps(caught.exception))
            self.assertEqual((str(again), again.status), (str(caught.exception), int(status)))

    def test_what_is_no_answer_of_aistores_keeps_its_text(self) -> None:
        with self.assertRaises(ais.Refused) as caught:
            self.client.get_object("special", "html")
        self.assertEqual((caught.exception.status, caught.exception.type), (500, None))
        self.assertIn("<html>", caught.exception.text)
        with self.assertRaises(ais.ProtocolError) as other:
            self.client.list_objects("special")
        self.assertEqual((other.exception.status, other.exception.text), (None, "not a listing"))
        with self.assertRaises(ais.ChecksumMismatch):
            self.client.get_object("special", "other-bytes")

    def test_no_answer_is_a_connection_error_and_silence_a_timeout(self) -> None:
        with self.assertRaises(ais.ConnectionFailed) as caught:
            self.client.create_bucket("broken-off")
        self.assertIsInstance(caught.exception, ConnectionError)
        with self.assertRaises(ais.TimedOut) as silent:
            Client(ENDPOINT, read_timeout=0.2).create_bucket("silent")
        self.assertIsInstance(silent.exception, TimeoutError)

    def test_settings_come_from_the_environment_and_arguments_win(self) -> None:
        with environment(AIS_ENDPOINT=ENDPOINT, AIS_AUTHN_TOKEN="of-the-environment"):
            self.assertEqual(Client().get_object("special", "token"), b"Bearer of-the-environment")
            self.assertEqual(Client(token="given").get_object("special", "token"), b"Bearer given")
        with self.assertRaises(ais.InvalidArgument):
            Client()
        for endpoint in ("", "nowhere", "ftp://h", "http://ada:pw@h"):
            with self.assertRaises(ais.InvalidArgument) as caught:
                Client(endpoint)
            self.assertNotIn("pw", str(caught.exception))
        with self.assertRaises(ValueError):
            Client(ENDPOINT, read_timeout=-1)
        with self.assertRaises(ValueError):
            Client(ENDPOINT, busy_timeout=float("nan"))

    def test_a_token_is_never_shown(self) -> None:
        client = Client(ENDPOINT, token="s3cret")
        with self.assertRaises(ais.Unauthorized) as caught:
            client.get_object("special", "refuse/401/-")
        for shown in (repr(client), str(client), repr(caught.exception), caught.exception.text):
            self.assertNotIn("s3cret", shown)

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
    def test_a_forked_process_is_an_error_instead_of_a_wait_without_end(self) -> None:
        script = (
            "import os, pydist_aistore\n"
            "client = pydist_aistore.Client(os.environ['ENDPOINT'])\n"
            "client.list_buckets()\n"
            "if os.fork() == 0:\n"
            "    try:\n"
            "        client.list_buckets()\n"
            "    except RuntimeError as error:\n"
            "        os._exit('spawn' in str(error) and 7)\n"
            "    os._exit(0)\n"
            "_, status = os.wait()\n"
            "raise SystemExit(os.waitstatus_to_exitcode(status))\n"
        )
        self.assertEqual(subprocess.run([sys.executable, "-c", script]).returncode, 7)


if __name__ == "__main__":
    unittest.main()
