"""Korean particles take the form that the word before them asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dari.language import Messages
from dari.particles import settled


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("파드이(가)", "파드가"),
        ("노드은(는)", "노드는"),
        ("대역을(를)", "대역을"),
        ("대역(으)로", "대역으로"),
        ("터널(으)로", "터널로"),  # ㄹ takes 로, though it is a consonant
        ("터널이(가)", "터널이"),
        ("node1와(과) node2은(는)", "node1과 node2는"),
        ("eth0을(를) 통해 10.244.2.1(으)로", "eth0을 통해 10.244.2.1로"),
        ("10.0.1.3(으)로", "10.0.1.3으로"),
        ("MTU가 1450(이)라", "MTU가 1450이라"),
        ("(DARI-404)이(가)", "(DARI-404)가"),
        ("02:00:00:00:de:ad(으)로", "02:00:00:00:de:ad로"),
        ("outside이(가) 02:1a:0a:00:01:0c(이)라고", "outside이(가) 02:1a:0a:00:01:0c라고"),
    ],
)
def test_a_particle_follows_from_the_last_sound(written: str, read: str) -> None:
    assert settled(written) == read


@given(st.text())
def test_text_without_a_choice_stays_as_it_is(text: str) -> None:
    assert settled(text.replace("(", "")) == text.replace("(", "")


def test_what_is_filled_into_a_message_decides() -> None:
    text = Messages("explain", "ko")("{link} is down")
    assert text.format(link="eth0") == "eth0이 꺼져 있습니다(down)"
    assert text.format(link="br-2") == "br-2가 꺼져 있습니다(down)"
    assert Messages("explain", "en")("{link} is down").format(link="eth0") == "eth0 is down"
