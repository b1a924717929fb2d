"""Canon's custom functions: noise reduction is found, switched off, and never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.cameras.custom_functions import is_noise_reduction_on, without_noise_reduction

# two groups; the second holds two functions, one of them with two values
OFF = "48,2,1,14,1,101,1,1,2,28,2,201,1,0,202,2,7,201,"


def test_noise_reduction_is_found_among_others() -> None:
    assert is_noise_reduction_on("20,1,2,14,1,201,1,0,") is False
    assert is_noise_reduction_on("20,1,2,14,1,201,1,2,") is True
    assert is_noise_reduction_on(OFF) is False
    for value in ("1", "2"):
        on = OFF.replace("201,1,0", f"201,1,{value}")
        assert is_noise_reduction_on(on) is True
        assert without_noise_reduction(on) == OFF


@pytest.mark.parametrize(
    "text",
    ["", "bad length", "20,1,2,14,1,202,1,1,", "20,1,2,14,1,201,1,", "20,1,2,14,1,201,2,1,1,",
     "20,1,2,14,1,201,1,1,0,", "20,9,2,14,1,201,1,1,"],
)  # fmt: skip
def test_what_does_not_add_up_says_nothing(text: str) -> None:
    assert is_noise_reduction_on(text) is None
    with pytest.raises(ValueError, match="no long-exposure noise reduction"):
        without_noise_reduction(text)


@given(st.text(alphabet="0123456789abcdefg,", max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    if is_noise_reduction_on(text) is not None:
        assert is_noise_reduction_on(without_noise_reduction(text)) is False
