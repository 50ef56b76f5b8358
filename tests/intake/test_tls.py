"""Lines that are not read on the way: MLLP and C-STORE over TLS, and a PACS whose certificate is of the site's own authority."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import requests

from clinical_jepa.intake import tls
from clinical_jepa.intake.pacs_session import PacsSession
from clinical_jepa.records.errors import BadRequest
from clinical_jepa.wiring.pacs import receiver_config
from clinical_jepa.wiring.receive import mllp_config
from clinical_jepa.wiring.settings import load
from tests.intake.certificates import authority
from tests.intake.fake_pacs import FakePacs, serving
from tests.intake.lines import HOST, frame, heart_rate, kept, listening
from tests.intake.test_dicom_receive import files, joined
from tests.intake.test_dicom_receive import instance as image
from tests.intake.test_dicom_receive import listening as receiving
from tests.intake.test_dicomweb import instance


async def sent(port: int, context: ssl.SSLContext | None) -> bytes:
    """What a sender reads after one message; nothing where the line is closed."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    writer.write(frame(heart_rate(1)))
    try:
        return await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 10)
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        return b""
    finally:
        writer.close()


def client(ca: Path, own: Path | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if own is not None:
        context.load_cert_chain(str(own))
    return context


@pytest.mark.fault(source="mllp", fault="a caller without a certificate", ends="the line is closed, nothing is kept")
def test_mllp_over_tls_takes_those_who_prove_themselves(tmp_path: Path) -> None:
    home = authority(tmp_path)
    own, known = home.certify("port"), home.certify("monitor")
    stranger = authority(tmp_path, "elsewhere").certify("stranger")
    context = tls.listening(str(own), str(home.file))

    async def scene() -> None:
        async with listening(tmp_path / "spool", tls=context) as (listener, port, _):
            assert b"MSA|AA|C1" in await sent(port, client(home.file, known))
            for refused in (client(home.file), client(home.file, stranger), None):
                assert await sent(port, refused) == b""
            assert listener.received.kept == 1
            assert listener.received.again == 0

    asyncio.run(scene())
    assert kept(tmp_path / "spool") == [heart_rate(1)]


def test_a_port_without_an_authority_takes_anybody_over_tls(tmp_path: Path) -> None:
    home = authority(tmp_path)
    context = tls.listening(str(home.certify("port")), "")

    async def scene() -> None:
        async with listening(tmp_path / "spool", tls=context) as (_, port, _):
            assert b"MSA|AA|C1" in await sent(port, client(home.file))

    asyncio.run(scene())


def test_files_that_are_no_certificates_are_refused_before_anything_listens(tmp_path: Path) -> None:
    home = authority(tmp_path)
    own = str(home.certify("port"))
    (tmp_path / "text").write_text("no certificate")
    for certificate, ca in (
        ("", own),
        (str(home.file), ""),
        (str(tmp_path / "none"), ""),
        (own, str(tmp_path / "text")),
    ):
        with pytest.raises(BadRequest):
            tls.listening(certificate, ca)
    assert tls.listening("", "") is None


def test_the_site_says_where_mllp_listens_and_with_what(tmp_path: Path) -> None:
    own = str(authority(tmp_path).certify("port"))
    said = {
        "CLINICAL_JEPA_MLLP_HOST": "10.0.0.7",
        "CLINICAL_JEPA_MLLP_PORT": "7000",
        "CLINICAL_JEPA_MLLP_CERTIFICATE": own,
    }
    config = mllp_config(load(said).settings, tmp_path, limit=1000)
    assert (config.host, config.port, config.limit, config.tls is not None) == ("10.0.0.7", 7000, 1000, True)
    plain = mllp_config(load({}).settings, tmp_path, limit=1000)
    assert (plain.host, plain.port, plain.tls) == ("127.0.0.1", 2575, None)


def test_a_pacs_of_the_sites_own_authority_is_believed_and_no_other(tmp_path: Path) -> None:
    home = authority(tmp_path)
    held = FakePacs({"1.2.1": ("20260103", {"1.2.1.1": instance("1.2.1.1")})})
    with serving(held, certificate=home.certify("pacs")) as server:
        url = f"{server.base}/studies"
        assert PacsSession((server.base,), ca_file=str(home.file)).get(url).status_code == 200
        for other in ("", str(authority(tmp_path, "elsewhere").file)):
            with pytest.raises(requests.exceptions.SSLError):
                PacsSession((server.base,), ca_file=other).get(url)
    with pytest.raises(BadRequest, match=r"pacs\.ca_file"):
        PacsSession((server.base,), ca_file=str(tmp_path / "none"))


@pytest.mark.fault(
    source="dicom-receive", fault="a caller without a certificate", ends="no association, nothing is kept"
)
def test_instances_over_tls_are_taken_of_those_who_prove_themselves(tmp_path: Path) -> None:
    home = authority(tmp_path)
    own, known = home.certify("port"), home.certify("modality")
    stranger = authority(tmp_path, "elsewhere").certify("stranger")
    context = tls.listening(str(own), str(home.file))
    with receiving(tmp_path / "spool", tls=context) as port, socket.create_connection((HOST, port)):  # one is silent
        for refused in (client(home.file), client(home.file, stranger), None):
            with joined(port, context=refused) as line:
                assert not line.is_established
        with joined(port, context=client(home.file, known)) as line:
            assert line.send_c_store(image("1.2.3")).Status == 0x0000
    (path,) = files(tmp_path / "spool")
    assert path.name == "1.2.3.dcm"


def test_the_site_says_with_what_instances_are_received(tmp_path: Path) -> None:
    own = str(authority(tmp_path).certify("port"))
    said = load({"CLINICAL_JEPA_PACS_CERTIFICATE": own, "CLINICAL_JEPA_PACS_CALLERS_CA_FILE": own}).settings
    context = receiver_config(said, tmp_path, host=HOST, port=0).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert receiver_config(load({}).settings, tmp_path, host=HOST, port=0).tls is None
    with pytest.raises(BadRequest, match="no certificate of its own"):
        receiver_config(load({"CLINICAL_JEPA_PACS_CALLERS_CA_FILE": own}).settings, tmp_path, host=HOST, port=0)
