"""What the bench of AIStore measures of Python's clients: `aistore_rivals.py sdk|boto3 WHAT ENDPOINT BUCKET …`.

Runs in an environment that has them, and prints seconds, the processor's and the peak of memory as JSON. Starting Python
and importing is not counted.
"""

import json
import sys
import time
from pathlib import Path

SMALL = b"\7" * 4096


class Sdk:
    def __init__(self, endpoint, bucket):
        from aistore import Client

        self.bucket = Client(endpoint).bucket(bucket)

    def put(self, name, content):
        self.bucket.object(name).get_writer().put_content(content)

    def get(self, name):
        return self.bucket.object(name).get_reader().read_all()

    def put_file(self, path):
        self.bucket.object(path.name).get_writer().put_file(str(path))

    def get_file(self, name):
        """In pieces, its fastest way, and one that needs little memory."""
        return sum(len(piece) for piece in self.bucket.object(name).get_reader(chunk_size=1 << 20))

    def list(self, page_size):
        return len(self.bucket.list_all_objects(page_size=page_size))


class Boto3:
    def __init__(self, endpoint, bucket):
        import boto3
        from botocore.config import Config

        config = Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
        )
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
        self.client = boto3.client("s3", endpoint_url=f"{endpoint}/s3", config=config, **keys)
        self.bucket = bucket

    def put(self, name, content):
        self.client.put_object(Bucket=self.bucket, Key=name, Body=content)

    def get(self, name):
        return self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def put_file(self, path):
        self.client.upload_file(str(path), self.bucket, path.name)

    def get_file(self, name):
        """In pieces: `download_file` to /dev/null does not come to an end."""
        body = self.client.get_object(Bucket=self.bucket, Key=name)["Body"]
        return sum(len(piece) for piece in body.iter_chunks(1 << 20))

    def list(self, page_size):
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, PaginationConfig={"PageSize": page_size or 1000}
        )
        return sum(len(page.get("Contents", [])) for page in pages)


def timed(work):
    begun, processor = time.monotonic(), time.process_time()
    work()
    return {"seconds": time.monotonic() - begun, "processor": time.process_time() - processor}


def peak():
    """In MB; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")) / 1e6


def main():
    who, what, endpoint, bucket, *rest = sys.argv[1:]
    rival = {"sdk": Sdk, "boto3": Boto3}[who](endpoint, bucket)
    if what == "small":
        names = [f"small/{number}" for number in range(int(rest[0]))]
        # Connects.
        rival.put(names[0], SMALL)
        done = {"put": timed(lambda: [rival.put(name, SMALL) for name in names])}
        rival.get(names[0])
        done["get"] = timed(lambda: [rival.get(name) for name in names])
    elif what == "put":
        done = timed(lambda: rival.put_file(Path(rest[0])))
    elif what == "get":
        done = timed(lambda: rival.get_file(rest[0]))
    else:
        found = []
        done = timed(lambda: found.append(rival.list(int(rest[0]))))
        if found != [10_000]:
            sys.exit(f"{found} entries")
    print(json.dumps({**done, "peak": peak()}))


if __name__ == "__main__":
    main()
