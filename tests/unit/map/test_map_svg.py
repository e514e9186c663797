"""The drawing as SVG: well-formed, described, and safe whatever things are called."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from dari.map.layout import Line, lay_out
from dari.map.picture import Machine, Picture, Pod
from dari.map.svg import document, fragment
from tests.unit.map.pictures import cluster

SVG = "{http://www.w3.org/2000/svg}"
# What XML can hold at all; a kernel's or store's names are cleaned where they are read.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))


def test_a_document_has_title_description_and_its_own_colours() -> None:
    root = ElementTree.fromstring(document(lay_out(cluster(3, 6)), "title", "what it shows"))
    assert root.find(f"{SVG}title").text == "title"  # type: ignore[union-attr]
    assert root.find(f"{SVG}desc").text == "what it shows"  # type: ignore[union-attr]
    assert ".pod rect" in (root.find(f"{SVG}style").text or "")  # type: ignore[union-attr]
    assert root.get("role") == "img"


def test_the_page_s_drawing_has_no_style_of_its_own() -> None:
    root = ElementTree.fromstring(fragment(lay_out(cluster(3, 6)), "title", "what it shows"))
    assert root.find(f"{SVG}style") is None


def test_every_thing_can_be_found_by_its_id() -> None:
    root = ElementTree.fromstring(fragment(lay_out(cluster(3, 2)), "", ""))
    ids = [each.get("data-id") for each in root.iter() if each.get("data-id")]
    assert {"machine:node1", "bridge:node2", "interface:node3", "pod:pod-3-2"} <= set(ids)


def test_a_path_is_laid_over_it() -> None:
    way = Line(kind="way-there", points=((0.0, 0.0), (10.0, 20.0)))
    root = ElementTree.fromstring(document(lay_out(cluster(2, 1)), "", "", [way]))
    (drawn,) = root.findall(f".//{SVG}g[@id='path']/{SVG}path")
    assert drawn.get("d") == "M0,0L10,20"


@given(TEXTS, TEXTS)
def test_any_name_is_only_ever_text(name: str, address: str) -> None:
    pod = Pod(name=name, addresses=(address,))
    picture = Picture(machines=(Machine(name=name, bridge=name, pods=(pod,)),))
    root = ElementTree.fromstring(fragment(lay_out(picture), name, address))
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        "svg",
        "title",
        "desc",
        "g",
        "rect",
        "text",
        "path",
    }
