"""PTP data sets and PTP/IP packets: round trips, and bytes known from real cameras."""

import socket
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.ptp.codec import (
    ConnectionLostError,
    Packet,
    Reader,
    WireError,
    pack_array,
    pack_packet,
    pack_string,
    pack_time,
    pack_value,
    receive_packet,
    unpack_time,
)
from fixtures.ptp.codes import DataType, PacketType, PropertyCode
from fixtures.ptp.profiles import NIKON
from fixtures.ptp.properties import PropertyRefusedError, PropertyTable

RANGES = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.UINT8: (0, 2**8 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.UINT16: (0, 2**16 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.UINT32: (0, 2**32 - 1),
    DataType.UINT64: (0, 2**64 - 1),
}
INTEGERS = st.sampled_from(sorted(RANGES)).flatmap(
    lambda kind: st.tuples(st.just(kind), st.integers(*RANGES[kind]))
)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0", max_codepoint=0xFFFF),
    max_size=254,
)


@given(INTEGERS)
def test_integers_come_back(typed: tuple[DataType, int]) -> None:
    kind, value = typed
    assert Reader(pack_value(kind, value)).value(kind) == value


@given(TEXTS)
def test_strings_come_back(text: str) -> None:
    assert Reader(pack_string(text)).string() == text


@given(st.lists(st.integers(0, 2**16 - 1), max_size=50))
def test_arrays_are_a_count_and_their_values(values: list[int]) -> None:
    reader = Reader(pack_array(DataType.UINT16, values))
    count = reader.integer(DataType.UINT32)
    assert [reader.integer(DataType.UINT16) for _ in range(count)] == values
    assert reader.rest == b""


@given(INTEGERS)
def test_data_that_end_early_are_refused(typed: tuple[DataType, int]) -> None:
    kind, value = typed
    with pytest.raises(WireError, match="the data end"):
        Reader(pack_value(kind, value)[:-1]).value(kind)


def test_a_string_is_counted_in_utf16_units_with_its_nul() -> None:
    assert pack_string("AB") == b"\x03A\0B\0\0\0"
    assert pack_string("") == b"\0"
    with pytest.raises(WireError, match="254"):
        pack_string("x" * 255)


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(WireError, match="UINT8"):
        pack_value(DataType.UINT8, 256)
    with pytest.raises(WireError, match="no string"):
        pack_value(DataType.STRING, 1)


def test_times_are_written_as_cameras_do() -> None:
    moment = datetime(2010, 12, 28, 1, 56, 4, tzinfo=UTC)
    assert pack_time(moment) == "20101228T015604"
    assert unpack_time("20101228T015604") == moment


@pytest.mark.parametrize("text", ["", "20101228", "20101328T015604", "yesterday"])
def test_other_texts_are_no_time(text: str) -> None:
    with pytest.raises(WireError, match="is no time"):
        unpack_time(text)


def test_packets_carry_their_length() -> None:
    packed = pack_packet(PacketType.INIT_EVENT_ACK)
    assert packed == struct.pack("<II", 8, 4)


def test_packets_come_through_a_connection_in_order() -> None:
    left, right = socket.create_server(("127.0.0.1", 0)), None
    with left:
        right = socket.create_connection(left.getsockname())
        receiver, _ = left.accept()
    with right, receiver:
        right.sendall(pack_packet(PacketType.PROBE_REQUEST))
        right.sendall(pack_packet(PacketType.DATA, b"abcd", b"ef"))
        assert receive_packet(receiver) == Packet(PacketType.PROBE_REQUEST, b"")
        assert receive_packet(receiver) == Packet(PacketType.DATA, b"abcdef")
        right.sendall(struct.pack("<II", 8, 99))
        with pytest.raises(WireError, match="99"):
            receive_packet(receiver)
        right.sendall(struct.pack("<II", 2**31, 1))
        with pytest.raises(WireError, match="announces"):
            receive_packet(receiver)
        right.close()
        with pytest.raises(ConnectionLostError):
            receive_packet(receiver)


def test_exposure_times_are_those_of_a_real_nikon() -> None:
    # The dump of a D7000 in libgphoto2 (camlibs/ptp2/cameras/nikon-d7000.txt).
    table = PropertyTable(NIKON.properties(1536, 1024))
    choices = table.property(PropertyCode.NIKON_EXPOSURE_TIME).choices
    assert choices[:3] == (73536, 71936, 70536)
    assert choices[-3:] == (1310721, 1638401, 1966081)
    assert len(choices) == 55
    assert {655385, 655376, 655373, 851978, 1048586, 1638410} < set(choices)


def test_a_property_description_holds_type_value_and_choices() -> None:
    table = PropertyTable(NIKON.properties(1536, 1024))
    table.set(PropertyCode.EXPOSURE_INDEX, 400)
    reader = Reader(table.encoded_description(PropertyCode.EXPOSURE_INDEX))
    assert reader.integer(DataType.UINT16) == 0x500F
    assert reader.integer(DataType.UINT16) == DataType.UINT16
    assert reader.integer(DataType.UINT8) == 1
    default, current = reader.integer(DataType.UINT16), reader.integer(DataType.UINT16)
    assert (default, current) == (100, 400)
    assert reader.integer(DataType.UINT8) == 2
    count = reader.integer(DataType.UINT16)
    choices = [reader.integer(DataType.UINT16) for _ in range(count)]
    assert choices[0] == 100 and choices[-1] == 25600 and choices == sorted(choices)
    assert reader.rest == b""


@pytest.mark.parametrize(
    ("code", "value"),
    [
        (PropertyCode.EXPOSURE_INDEX, 101),
        (PropertyCode.BATTERY_LEVEL, 50),
        (PropertyCode.NIKON_HIGH_ISO_NOISE_REDUCTION, 1),
    ],
)
def test_what_a_camera_does_not_offer_cannot_be_set(code: PropertyCode, value: int) -> None:
    table = PropertyTable(NIKON.properties(1536, 1024))
    before = table[code]
    with pytest.raises(PropertyRefusedError, match=code.name):
        table.set(code, value)
    assert table[code] == before
