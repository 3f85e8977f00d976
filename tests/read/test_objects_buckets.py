"""Objects in buckets, on a real S3 server of the test's own."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from loader.errors import MdloadError, NotThere, SettingsError, SourceLost
from loader.read.sources import content_hash, find, open_source
from tests.support.stores import NO_CREDENTIALS, S3

CSV = b"ts,open,high,low,close\n2024-01-02,1,2,0.5,1.5\n"


def names(*patterns: str) -> list[str]:
    with find(patterns) as found:
        return [source.name.removeprefix("s3://bars/") for source in found]


def refusal(pattern: str) -> MdloadError:
    with pytest.raises(MdloadError) as caught, find([pattern]) as found:
        content_hash(found[0])
    return caught.value


class TestWhatAUrlNames:
    @pytest.fixture(autouse=True)
    def objects(self, s3: S3) -> None:
        for key in (
            "d/a1.csv", "d/a2.csv", "d/a10.csv", "d/README.txt", "d/sub/x.csv.gz", "d/.old/x.csv",
            "d/_delta_log/1.json", "d/b c+ü%[1].csv", "d/AAPL", "e/1/f.parquet", "e/2/f.parquet",
        ):  # fmt: skip
            s3.put(key, CSV)
        s3.put("d/", b"")  # what the console of S3 calls a folder

    def test_an_object(self) -> None:
        assert names("s3://bars/d/a1.csv") == ["d/a1.csv"]

    def test_an_object_whatever_its_name(self) -> None:
        assert names("s3://bars/d/AAPL") == ["d/AAPL"]
        assert names("s3://bars/d/b c+ü%[1].csv") == ["d/b c+ü%[1].csv"]

    @pytest.mark.parametrize("folder", ["s3://bars/d", "s3://bars/d/", "s3://bars/d/**"])
    def test_a_folder_to_the_bottom_in_natural_order(self, folder: str) -> None:
        assert names(folder) == [
            "d/a1.csv", "d/a2.csv", "d/a10.csv", "d/b c+ü%[1].csv", "d/sub/x.csv.gz",
        ]  # fmt: skip

    def test_a_bucket(self) -> None:
        assert names("s3://bars")[-2:] == ["e/1/f.parquet", "e/2/f.parquet"]

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("d/a?.csv", ["d/a1.csv", "d/a2.csv"]),
            ("d/a[2-9]*.csv", ["d/a2.csv"]),
            ("*/a1.csv", ["d/a1.csv"]),
            ("**/f.parquet", ["e/1/f.parquet", "e/2/f.parquet"]),
            ("e/*", ["e/1/f.parquet", "e/2/f.parquet"]),
            ("e/2*", ["e/2/f.parquet"]),
            ("d/A*", []),
            ("d/*.csv", ["d/a1.csv", "d/a2.csv", "d/a10.csv", "d/b c+ü%[1].csv"]),
        ],
    )
    def test_a_glob_as_for_files(self, pattern: str, found: list[str]) -> None:
        if not found:
            error = refusal(f"s3://bars/{pattern}")
            assert isinstance(error, NotThere)
            assert str(error) == f"nothing matches s3://bars/{pattern}"
        else:
            assert names(f"s3://bars/{pattern}") == found

    def test_none_twice_and_in_the_order_of_the_patterns(self) -> None:
        both = names("s3://bars/d/a2.csv", "s3://bars/d/a*.csv")
        assert both == ["d/a2.csv", "d/a1.csv", "d/a10.csv"]

    def test_a_source_knows_its_folders(self) -> None:
        with find(["s3://bars/d/a1.csv"]) as [source]:
            assert source.path.as_posix() == "/bars/d/a1.csv"
            assert source.file_name == "a1.csv"
            assert source.size_bytes == len(CSV)


class TestRefusals:
    def test_an_absent_object(self, s3: S3) -> None:
        error = refusal("s3://bars/no/such.csv")
        assert isinstance(error, NotThere)
        assert str(error) == "s3://bars/no/such.csv does not exist"
        assert error.exit_code == 3

    def test_an_absent_bucket(self, s3: S3) -> None:
        error = refusal("s3://no-such-bucket/a.csv")
        assert "there is no bucket no-such-bucket" in str(error)

    def test_a_folder_without_tables(self, s3: S3) -> None:
        s3.put("notes/README.txt", b"hello")
        assert "holds no object that mdload reads" in str(refusal("s3://bars/notes/"))

    def test_the_extra_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "obstore", None)
        error = refusal("s3://bars/a.csv")
        assert str(error) == "s3://bars/a.csv needs the extra object-store"
        assert error.hint == "pip install 'mdload[object-store]'"

    def test_no_credentials(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        error = refusal("s3://bars/a.csv")
        assert str(error) == "s3://bars/a.csv cannot be read: no credentials were found"
        assert "AWS_PROFILE" in (error.hint or "")

    def test_an_object_that_is_not_for_everybody(
        self, s3: S3, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        s3.put("mine.csv", CSV)
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        error = refusal("s3://bars/mine.csv")
        assert str(error).startswith("s3://bars/mine.csv may not be read: the store says 403")

    def test_one_that_is(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        s3.client.put_object(Bucket="bars", Key="all.csv", Body=CSV, ACL="public-read")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
        with find(["s3://bars/all.csv"]) as [source], open_source(source) as stream:
            assert stream.read() == CSV

    def test_a_profile(
        self, s3: S3, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """The variables are not the end of the chain."""
        s3.put("profile.csv", CSV)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.delenv(name)
        file = tmp_path_factory.mktemp("aws") / "credentials"
        file.write_text("[desk]\naws_access_key_id = AKIADESK\naws_secret_access_key = hunter3\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        monkeypatch.setenv("AWS_PROFILE", "desk")
        assert names("s3://bars/profile.csv") == ["profile.csv"]

    def test_nobody_at_the_endpoint(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("MDLOAD_REMOTE_RETRIES", "1")
        error = refusal("s3://bars/a.csv")
        assert isinstance(error, SourceLost)
        assert error.retryable
        assert str(error).startswith("s3://bars/a.csv cannot be reached: ")
        assert "\n" not in str(error)
        assert "endpoint" in (error.hint or "")

    def test_the_wrong_region(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        """As S3 answers: a redirection to nowhere, with the region in a header."""

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(301)
                self.send_header("x-amz-bucket-region", "eu-west-1")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as elsewhere:
            thread = threading.Thread(target=elsewhere.serve_forever)
            thread.start()
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{elsewhere.server_port}")
            error = refusal("s3://bars/a.csv")
            elsewhere.shutdown()
            thread.join()
        assert str(error) == "s3://bars/a.csv cannot be read: its bucket is in another region"
        assert "AWS_REGION" in (error.hint or "")

    @pytest.mark.parametrize("url", ["s3://AKIA:hunter2@bars/a.csv", "gs://me:hunter2@bars/*"])
    def test_credentials_in_a_url_are_not_taken_and_not_told(self, url: str) -> None:
        error = refusal(url)
        assert isinstance(error, SettingsError)
        assert "hunter2" not in f"{error} {error.hint}"

    def test_a_kind_of_url_that_is_not_read(self) -> None:
        error = refusal("ftp://me:hunter2@host/a.csv")
        assert isinstance(error, SettingsError)
        assert "it reads s3://, gs://, az://, http://, https://" in str(error)
        assert "hunter2" not in str(error)

    @pytest.mark.parametrize(
        ("url", "hint"), [("gs://bars/a.csv", "gcloud"), ("az://bars/a.csv", "AZURE_STORAGE_ACC")]
    )
    def test_no_credentials_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch, url: str, hint: str
    ) -> None:
        for name, value in NO_CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("HOME", "/nonexistent")
        monkeypatch.setenv("MDLOAD_REMOTE_RETRIES", "0")
        error = refusal(url)
        assert str(error) == f"{url} cannot be read: no credentials were found"
        assert hint in (error.hint or "")


@pytest.mark.parametrize("pattern", ["t", "t/", "**/*.parquet", "t/bars/*", "t/bars/p=1/*.parquet"])
def test_a_table_is_refused_by_name(s3: S3, pattern: str) -> None:
    s3.put("t/bars/_delta_log/00000000000000000000.json", b"{}")
    s3.put("t/bars/p=1/a.parquet", CSV)
    s3.put("t/other/metadata/v1.metadata.json", b"{}")
    if pattern == "t/bars/p=1/*.parquet":  # its log is not among what is listed
        assert names(f"s3://bars/{pattern}") == ["t/bars/p=1/a.parquet"]
        return
    error = refusal(f"s3://bars/{pattern}")
    assert str(error).startswith("s3://bars/t/bars/ is a Delta table: mdload reads tables from")
    assert str(error.hint).startswith("copy its whole folder here")
