"""boto3's transfer manager on the AWS Common Runtime: FILE, BUCKET and KEY, everything else in the AWS variables.

boto3's own wrapper of it takes no certificates; apart from that this is what its `upload_file` does.
"""

import os
import sys

from botocore.session import Session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)


def main():
    file, bucket, key = sys.argv[1:]
    session, region = Session(), os.environ["AWS_REGION"]
    credentials = BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider()
    client = create_s3_crt_client(
        region=region, crt_credentials_provider=credentials, verify=os.environ["AWS_CA_BUNDLE"]
    )
    serializer = BotocoreCRTRequestSerializer(
        session, {"region_name": region, "endpoint_url": os.environ["AWS_ENDPOINT_URL_S3"]}
    )
    with CRTTransferManager(client, serializer) as manager:
        manager.upload(file, bucket, key).result()


if __name__ == "__main__":
    main()
