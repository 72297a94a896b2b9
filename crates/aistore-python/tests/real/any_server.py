"""What holds before any server, in memory or real. ENDPOINT names it."""

import array
import inspect
import io
import os
import pathlib
import tempfile
import unittest
import uuid

import pydist_aistore
from pydist_aistore import Client, ProviderAIS

ENDPOINT = os.environ["ENDPOINT"]
EXAMPLE = pathlib.Path(__file__).with_name("seed_example.py")


class AnyServer(unittest.TestCase):
    def setUp(self) -> None:
        self.client = Client(ENDPOINT)
        self.bucket = "t" + uuid.uuid4().hex[:12]
        self.client.create_bucket(self.bucket)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tearDown(self) -> None:
        self.client.destroy_bucket(self.bucket)

    def test_the_first_sdks_own_example_runs(self) -> None:
        content = self.folder / "obj1_content"
        content.write_bytes(b"hello")
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        assert [line.split()[0] for line in lines[:2]] == ["from", "from"]
        # Imports and addresses aside.
        text = "\n".join(["from pydist_aistore import Client", "from pydist_aistore import ProviderAIS", *lines[2:]])
        text = text.replace("http://localhost:8080", ENDPOINT).replace('"/tmp/obj1_content"', repr(str(content)))
        names: dict[str, object] = {}
        exec(compile(text, str(EXAMPLE), "exec"), names)
        self.assertIn("bck", [bucket.name for bucket in names["bucket_list"]])  # type: ignore[attr-defined]
        stored = names["obj_props"]
        assert isinstance(stored, pydist_aistore.PutProperties)
        self.assertEqual((stored.checksum_type, stored.checksum), ("xxhash2", "26c7827d889f6da3"))
        self.assertTrue(stored.is_verified)
        self.assertNotIn("bck", [bucket.name for bucket in self.client.list_buckets()])

    def test_the_example_of_listing_both_ways(self) -> None:
        for number in range(12):
            self.client.put_object(self.bucket, f"img-{number:02}", content=b"x" * number)
        self.client.put_object(self.bucket, "other", content=b"")
        by_place = self.client.list_objects(self.bucket, ProviderAIS, "img-", "", 10)
        by_name = self.client.list_objects(count=10, prefix="img-", bck_name=self.bucket)
        self.assertEqual(by_place, by_name)
        self.assertEqual([entry.name for entry in by_name], [f"img-{number:02}" for number in range(10)])
        self.assertEqual([entry.size for entry in by_name], list(range(10)))
        self.assertEqual(len(self.client.list_objects(self.bucket, page_size=5)), 13)
        self.assertEqual(repr(by_name[3]), "BucketEntry(name='img-03', size=3)")

    def test_every_call_takes_its_arguments_by_name_in_any_order(self) -> None:
        client, name = self.client, self.bucket
        client.put_object(content=b"0123456789", obj_name="o", provider="ais", bck_name=name)
        self.assertEqual(client.get_object(provider="ais", obj_name="o", bck_name=name), b"0123456789")
        self.assertEqual(client.head_object(obj_name="o", bck_name=name).size, 10)
        self.assertEqual(client.head_bucket(provider="ais", bck_name=name)["checksum"]["type"], "xxhash2")
        client.delete_object(provider="ais", obj_name="o", bck_name=name)
        self.assertIn(name, [bucket.name for bucket in client.list_buckets(provider="")])
        with self.assertRaises(pydist_aistore.AlreadyExists) as caught:
            client.create_bucket(bck_name=name)
        self.assertEqual((caught.exception.status, caught.exception.type), (409, "ErrBucketAlreadyExists"))
        expected = {
            "create_bucket": "(bck_name)",
            "destroy_bucket": "(bck_name)",
            "list_buckets": "(provider='ais')",
            "list_objects": "(bck_name, provider='ais', prefix='', props='', count=0, page_size=0)",
            "put_object": "(bck_name, obj_name, path=None, provider='ais', *, content=None, custom=None)",
        }
        for call, signature in expected.items():
            self.assertEqual(str(inspect.signature(getattr(client, call))), signature)
            self.assertTrue(inspect.getdoc(getattr(client, call)))

    def test_content_of_every_kind_is_put(self) -> None:
        client, name = self.client, self.bucket
        file = self.folder / "file"
        long = os.urandom(700_000)
        file.write_bytes(long)
        client.put_object(name, "path", file)
        short = self.folder / "short"
        short.write_bytes(long[:1000])
        client.put_object(name, "text", str(short))
        client.put_object(name, "bytes", content=long)
        for kind in (bytearray, memoryview):
            client.put_object(name, kind.__name__, content=kind(long[:1000]))
        with file.open("rb") as opened:
            client.put_object(name, "opened", content=opened)
            self.assertEqual(opened.tell(), len(long))
        for each in ("path", "bytes", "opened"):
            self.assertEqual(client.get_object(name, each), long, each)
        for each in ("text", "bytearray", "memoryview"):
            self.assertEqual(client.get_object(name, each), long[:1000], each)
        with file.open("rb") as opened:
            opened.seek(699_990)
            client.put_object(name, "rest", content=opened)
        self.assertEqual(client.get_object(name, "rest"), long[-10:])
        client.put_object(name, "array", content=array.array("H", [1, 2, 3]))
        self.assertEqual(client.head_object(name, "array").size, 6)
        client.put_object(name, "empty", content=b"")
        self.assertEqual(client.get_object(name, "empty"), b"")
        for wrong in ("text", 7, [1, 2], io.StringIO("text")):
            with self.assertRaises(TypeError, msg=repr(wrong)):
                client.put_object(name, "wrong", content=wrong)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            client.put_object(name, "neither")  # type: ignore[call-overload]
        with self.assertRaises(TypeError):
            client.put_object(name, "both", file, content=b"")  # type: ignore[call-overload]
        with self.assertRaises(FileNotFoundError) as caught:
            client.put_object(name, "missing", self.folder / "missing")
        self.assertEqual(caught.exception.filename, str(self.folder / "missing"))

    def test_what_a_file_raises_while_it_is_read_is_raised(self) -> None:
        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if size:
                    raise ZeroDivisionError("in the middle")
                return b""

        with self.assertRaises(ZeroDivisionError):
            self.client.put_object(self.bucket, "o", content=Breaking(b"hello"))

    def test_content_is_read_whole_in_part_or_to_a_file(self) -> None:
        client, name = self.client, self.bucket
        client.put_object(name, "o", content=b"hello")
        self.assertEqual(client.get_object(name, "o", offset=1, length=2), b"el")
        self.assertEqual(client.get_object(name, "o", offset=3), b"lo")
        self.assertEqual(client.get_object(name, "o", offset=-2), b"lo")
        self.assertEqual(client.get_object(name, "o", length=1), b"h")
        file = self.folder / "file"
        file.write_bytes(b"former")
        self.assertEqual(client.get_object(name, "o", path=file), 5)
        self.assertEqual(file.read_bytes(), b"hello")
        self.assertEqual(client.get_object(name, "o", path=str(file), offset=1), 4)
        self.assertEqual(file.read_bytes(), b"ello")
        with self.assertRaises(pydist_aistore.ObjectNotFound):
            client.get_object(name, "missing", path=file)
        self.assertEqual(os.listdir(self.folder), ["file"])
        self.assertEqual(file.read_bytes(), b"ello", "a failure leaves what was there")
        with self.assertRaises(FileNotFoundError):
            client.get_object(name, "o", path=self.folder / "no" / "folder")
        with self.assertRaises(pydist_aistore.RangeNotSatisfiable):
            client.get_object(name, "o", offset=9)
        for offset, length in ((0, 0), (-1, 1)):
            with self.assertRaises(pydist_aistore.InvalidArgument):
                client.get_object(name, "o", offset=offset, length=length)

    def test_what_is_not_there_is_not_found(self) -> None:
        client, name = self.client, self.bucket
        for ask in (client.get_object, client.delete_object):
            with self.assertRaises(pydist_aistore.ObjectNotFound) as caught:
                ask(name, "missing")
            self.assertEqual(caught.exception.status, 404)
            self.assertIn("missing", caught.exception.message)
            self.assertEqual(str(caught.exception), caught.exception.message)
            self.assertIn("missing", caught.exception.text)
        with self.assertRaises(pydist_aistore.BucketNotFound) as of_bucket:
            client.destroy_bucket("missing")
        self.assertIsInstance(of_bucket.exception, pydist_aistore.NotFound)
        self.assertIsInstance(of_bucket.exception, pydist_aistore.AisError)
        self.assertEqual(of_bucket.exception.type, "ErrBckNotFound")

    def test_names_are_checked_before_anything_is_asked(self) -> None:
        nowhere = Client("http://127.0.0.1:1")
        for name in ("", "a/b", "..", "x" * 65, ".x"):
            with self.assertRaises(pydist_aistore.InvalidArgument):
                nowhere.create_bucket(name)
            with self.assertRaises(ValueError):
                nowhere.list_objects(name)
        for name in ("../x", "a/", "~/x", ""):
            with self.assertRaises(pydist_aistore.InvalidArgument) as caught:
                nowhere.put_object("b", name, content=b"")
            self.assertIsNone(caught.exception.status)
        for count, page_size in ((-1, 0), (0, -1)):
            with self.assertRaises(pydist_aistore.InvalidArgument):
                nowhere.list_objects("b", count=count, page_size=page_size)
        with self.assertRaises(pydist_aistore.InvalidArgument):
            nowhere.list_buckets("nope")

    def test_a_client_can_be_closed(self) -> None:
        with Client(ENDPOINT) as client:
            self.assertEqual(repr(client), f"Client({ENDPOINT!r})")
            self.assertEqual(client.endpoint, ENDPOINT)
            client.list_buckets()
        with self.assertRaises(ValueError):
            client.list_buckets()
        client.close()

    def test_odd_names_come_back(self) -> None:
        names = sorted(["a#b", "a?b=c", "100%", "a b", "é", "dir/x#y"])
        for name in names:
            self.client.put_object(self.bucket, name, content=name.encode())
            self.assertEqual(self.client.get_object(self.bucket, name), name.encode())
        self.assertEqual(sorted(entry.name for entry in self.client.list_objects(self.bucket)), names)


if __name__ == "__main__":
    unittest.main()
