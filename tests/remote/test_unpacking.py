"""Packed answers: read as any client does, and never unpacked beyond the limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.remote.problems import Malformed
from charm_rm.remote.unpacking import TooLong, Unpacker

TEXT = b'{"answer": "yes"}' * 50


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate, bare": bare,
    "identity": bytes,
    "": bytes,
}


@given(kind=st.sampled_from(sorted(PACKED)), step=st.integers(1, 400), data=st.binary(max_size=2000))
def test_in_parts_of_any_size(kind: str, step: int, data: bytes) -> None:
    packed = PACKED[kind](data)
    unpacker = Unpacker(kind.partition(",")[0], most=2000)
    parts = [unpacker.take(packed[i : i + step]) for i in range(0, len(packed), step)]
    unpacker.end()
    assert b"".join(parts) == data


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_a_bomb_costs_no_more_than_the_limit(kind: str) -> None:
    bomb = PACKED[kind](b"\0" * 40_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLong):
            Unpacker(kind, most=1_000_000).take(bomb)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["gzip, gzip", "br", "zstd", "gzip,deflate"])
def test_packed_twice_or_otherwise_is_refused(kind: str) -> None:
    with pytest.raises(Malformed, match="not asked for"):
        Unpacker(kind, most=100)


def test_broken_and_cut_off() -> None:
    with pytest.raises(Malformed, match="broken"):
        Unpacker("gzip", most=100).take(b"no gzip at all")
    cut = Unpacker("gzip", most=10_000)
    cut.take(gzip.compress(TEXT)[:-9])
    with pytest.raises(Malformed, match="broken"):
        cut.end()


def test_the_limit_is_exact() -> None:
    assert Unpacker("gzip", most=len(TEXT)).take(gzip.compress(TEXT)) == TEXT
    with pytest.raises(TooLong):
        Unpacker("gzip", most=len(TEXT) - 1).take(gzip.compress(TEXT))
