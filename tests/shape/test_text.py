from __future__ import annotations

import pytest

from loader.text import names_secret, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:hunter2@db/x", "postgresql://me:***@db/x"),
        ("postgresql+psycopg://me:p@ss:w@db/x", "postgresql+psycopg://me:***@db/x"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("postgresql:///x?host=/tmp&password=hunter2&user=me",
         "postgresql:///x?host=/tmp&password=***&user=me"),
        ("https://a.example/b?apiKey=k1&page=2#top", "https://a.example/b?apiKey=***&page=2#top"),
        ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
        (r"host=db password='it\'s long' dbname=x", "host=db password=*** dbname=x"),
        ('{"password": "hunter2", "user": "me"}', '{"password": ***, "user": "me"}'),
        ("could not reach ftp://u:pw@h/a.csv, nor s3://b/c",
         "could not reach ftp://u:***@h/a.csv, nor s3://b/c"),
        ("3:4 @ noon, mail me@example.org", "3:4 @ noon, mail me@example.org"),
        ("sh -c 'PGPASSWORD=hunter2 psql'", "sh -c 'PGPASSWORD=*** psql'"),
        ("POLYGON_API_KEY='a b' MY_TOKEN=c x=1", "POLYGON_API_KEY=*** MY_TOKEN=*** x=1"),
        ("curl -H 'Authorization: Bearer abc.def' u", "curl -H 'Authorization: Bearer ***' u"),
        ("authorization: abc", "authorization: ***"),
        ("API_TOKEN: not set; tokens = 3", "API_TOKEN: not set; tokens = 3"),
        ("the token was refused", "the token was refused"),
        ("--where token=BTC; or --where 'Token=B T'", "--where token=BTC; or --where 'Token=B T'"),
        ("--where token=BTC token=abc", "--where token=BTC token=***"),
    ],
)  # fmt: skip
def test_passwords_are_masked_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "name", ["password", "PG_PASSWORD", "dbPassword", "api_key", "APIKey", "access-key", "key",
             "session_token", "client.secret", "Authorization", "tiingo_key", "service_keys"]
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert names_secret(name)
