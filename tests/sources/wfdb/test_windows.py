"""Windows against the wfdb library: every format, any stretch, any split, bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_jepa.sources.wfdb import windows
from clinical_jepa.sources.wfdb.header import load

BYTES = {8: 1, 16: 2, 24: 3, 32: 4, 61: 2, 80: 1, 160: 2, 212: 1.5, 310: 4 / 3, 311: 4 / 3}
SAMPLES = "wfdb_samples"


@dataclass(frozen=True)
class Made:
    """A record of random bytes, and what the library reads of it without gain and skew: NaN is "no value"."""

    path: Path
    frames: int
    per_frame: tuple[int, ...]
    skews: tuple[int, ...]
    stored: list[np.ndarray]


def made(folder: Path, form: int, per_frame: tuple[int, ...], frames: int, *, offset: int = 0, seed: int = 0) -> Made:
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, int(np.ceil(frames * sum(per_frame) * BYTES[form])) + 8, dtype=np.uint8)
    if form == 311:
        raw[3::4] &= 0x3F  # the two highest bits of the format's word are not used
    (folder / "r.dat").write_bytes(bytes(offset) + raw.tobytes())
    skews = tuple(rng.integers(0, 4, len(per_frame)).tolist())
    lines, plain = [f"r {len(per_frame)} 50 {frames}"], [f"plain {len(per_frame)} 50 {frames}"]
    for number, (count, skew) in enumerate(zip(per_frame, skews, strict=True)):
        lines.append(
            f"r.dat {form}x{count}:{skew}+{offset} {7.3 + number}({3 - number})/mV 12 0 {11 * number} 0 0 s{number}"
        )
        plain.append(f"r.dat {form}x{count}+{offset} 1(0)/mV 12 0 {11 * number} 0 0 s{number}")
    for name, text in (("r", lines), ("plain", plain)):
        (folder / f"{name}.hea").write_text("\n".join(text) + "\n")
    record = wfdb.rdrecord(str(folder / "plain"), smooth_frames=False)
    return Made(folder / "r.hea", frames, per_frame, skews, list(record.e_p_signal))


def expected(record: Made) -> list[np.ndarray]:
    """Float32 of the whole record, by the format's own words: shift by the skew, "no value" past the end, scale."""
    out = []
    for number, (stored, per_frame, skew) in enumerate(zip(record.stored, record.per_frame, record.skews, strict=True)):
        values = (stored - (3 - number)) / (7.3 + number)
        out.append(np.concatenate([values[skew * per_frame :], np.full(skew * per_frame, np.nan)]).astype(np.float32))
    return out


@settings(max_examples=150, deadline=None)
@given(
    form=st.sampled_from(sorted(BYTES)),
    per_frame=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    frames=st.integers(5, 90),
    offset=st.sampled_from([0, 3, 24]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_window_is_that_stretch_of_the_whole_and_any_split_joins_up(
    tmp_path_factory: pytest.TempPathFactory,
    form: int,
    per_frame: tuple[int, ...],
    frames: int,
    offset: int,
    seed: int,
    data: st.DataObject,
) -> None:
    record = made(tmp_path_factory.mktemp("w"), form, per_frame, frames, offset=offset, seed=seed)
    header = load(record.path)
    whole = expected(record)
    cuts = sorted(data.draw(st.lists(st.integers(0, frames), min_size=2, max_size=5)))
    for first, last in pairwise(cuts):
        for found, signal, count in zip(windows.read(header, first, last), whole, per_frame, strict=True):
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, signal[first * count : last * count])


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    ["binformats", "flacformats", "mixedsignals", "100", "100_3chan", "a103l", "s0010_re", "310derive", "311derive_3"]
    + ["03700181", "100skew", "test01_00s_skewframe", "3000003_0003", "100-no-len", "a103l-no-len", "v102s"],
)
def test_random_windows_of_the_librarys_own_samples(data: Path, name: str) -> None:
    path = data / SAMPLES / f"{name}.hea"
    header = load(path)
    total = windows.frames(header)
    whole = wfdb.rdrecord(str(path.with_suffix("")), smooth_frames=False).e_p_signal
    edges = np.random.default_rng(0).integers(0, total + 1, (12, 2))
    for first, last in [(0, total), (total, total), *np.sort(edges, axis=1).tolist()]:
        for found, signal, described in zip(windows.read(header, first, last), whole, header.signals, strict=True):
            wanted = signal[first * described.per_frame : last * described.per_frame].astype(np.float32)
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.data
def test_format_8_is_right_in_a_window_where_the_library_is_not(data: Path) -> None:
    path = data / SAMPLES / "binformats.hea"
    whole = wfdb.rdrecord(str(path.with_suffix("")), smooth_frames=False).e_p_signal[0][100:200]
    cut = wfdb.rdrecord(str(path.with_suffix("")), smooth_frames=False, sampfrom=100, sampto=200).e_p_signal[0]
    assert not np.array_equal(cut, whole)
    np.testing.assert_array_equal(windows.read(load(path), 100, 200)[0], whole.astype(np.float32))


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (3, 2), (0, 21), (21, 21)])
def test_a_window_outside_the_record_is_refused(tmp_path: Path, first: int, last: int) -> None:
    record = made(tmp_path, 16, (1,), 20)
    with pytest.raises(ValueError, match="do not lie in a record of 20"):
        windows.read(load(record.path), first, last)


@pytest.mark.parametrize("form", [16, 212, 310])
def test_a_file_shorter_than_its_header_is_an_error_not_a_guess(tmp_path: Path, form: int) -> None:
    record = made(tmp_path, form, (1, 1), 40)
    dat = tmp_path / "r.dat"
    dat.write_bytes(dat.read_bytes()[: int(39 * 2 * BYTES[form])])
    with pytest.raises(ValueError, match="shorter than its header says"):
        windows.read(load(record.path), 0, 40)
    assert len(windows.read(load(record.path), 0, 20)[0]) == 20


def test_a_header_that_claims_a_terabyte_costs_nothing(tmp_path: Path) -> None:
    record = made(tmp_path, 16, (1,), 20)
    record.path.write_text(record.path.read_text().replace(" 50 20", " 50 900000000000"))
    with pytest.raises(ValueError, match="shorter than its header says"):
        windows.read(load(record.path), 0, 900_000_000_000)


def test_signals_of_one_file_have_one_known_format(tmp_path: Path) -> None:
    record = made(tmp_path, 16, (1, 1), 20)
    text = record.path.read_text()
    for damaged in (text.replace("r.dat 16x", "r.dat 17x"), text.replace("r.dat 16x", "r.dat 80x", 1)):
        record.path.write_text(damaged)
        with pytest.raises(ValueError, match="no format that is known"):
            windows.read(load(record.path), 0, 20)


def test_a_flac_file_that_is_another_stream_is_refused(tmp_path: Path) -> None:
    signal = np.arange(100).reshape(-1, 1) % 50
    wfdb.wrsamp(
        "f",
        fs=50,
        units=["mV"],
        sig_name=["I"],
        d_signal=signal,
        fmt=["516"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(tmp_path),
    )
    path = tmp_path / "f.hea"
    np.testing.assert_array_equal(windows.read(load(path), 20, 30)[0], (signal[20:30, 0] / 200).astype(np.float32))
    path.write_text(path.read_text().replace("516", "508"))
    with pytest.raises(ValueError, match="no FLAC stream of 1 channels of at most 8 bits"):
        windows.read(load(path), 0, 10)
