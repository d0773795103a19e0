# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
"""Put everything into a bucket that keeps it from being deleted: `fill.py BUCKET REGION VERSIONS MARKERS UPLOADS`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config


def main(bucket: str, region: str, versions: int, markers: int, uploads: int) -> None:
    s3 = boto3.client("s3", region_name=region, config=Config(max_pool_connections=8))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _number: s3.put_object(Bucket=bucket, Key="filled", Body=b"12345"), range(versions)))
    keys = [{"Key": f"deleted/{number}"} for number in range(markers)]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})  # of keys that do not exist, which leaves markers
    for number in range(uploads):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=f"unfinished/{number}")
        s3.upload_part(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"], PartNumber=1, Body=b"the first part"
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
