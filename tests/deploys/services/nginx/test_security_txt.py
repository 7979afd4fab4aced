"""security.txt: what is served, and which settings are refused."""

from dataclasses import replace

import pytest

from deploys.kit.errors import Refused
from deploys.kit.operations.hostfiles import render
from deploys.services.nginx import Edge, security_txt

NONE = Edge("edge.test", "/edge.pem", "/edge.key", 1, 1, 50, 1, 1, None, None)


def edge(contact: str | None, expires: str | None) -> Edge:
    return replace(NONE, edge_security_contact=contact, edge_security_expires=expires)


def rendered(template: str, contact: str | None) -> str:
    values = {"contact": contact, "expires": "2027-06-30", "edge_host": "edge.test", "file": "/f", "burst": 1}
    return render(f"nginx/{template}", page="PLAT_99", **values)


def test_it_has_the_fields_that_rfc_9116_requires_and_nothing_without_a_contact() -> None:
    assert rendered("security.txt", "mailto:a@edge.test").split("\n") == [
        "Contact: mailto:a@edge.test",
        "Expires: 2027-06-30T00:00:00Z",
        "Canonical: https://edge.test/.well-known/security.txt",
        "",
    ]
    assert rendered("security.txt", None) == "# group_data names no contact.\n"
    assert "location = /.well-known/security.txt {" in rendered("security.conf", "mailto:a@edge.test")
    assert "location" not in rendered("security.conf", None)


@pytest.mark.parametrize("contact", ["mailto:a@edge.test", "https://edge.test/security", "tel:+1-201-555-0123"])
def test_a_contact_and_a_day_are_taken(contact: str) -> None:
    security_txt.check(edge(contact, "2027-06-30"))
    security_txt.check(NONE)


@pytest.mark.parametrize(
    ("contact", "expires", "fault"),
    [
        ("mailto:a@edge.test", None, "only one of edge_security_contact and edge_security_expires"),
        (None, "2027-06-30", "only one of edge_security_contact and edge_security_expires"),
        ("a@edge.test", "2027-06-30", "edge_security_contact is 'a@edge.test'"),
        ("http://edge.test", "2027-06-30", "edge_security_contact is 'http://edge.test'"),
        ("mailto:a@edge.test\nExpires: x", "2027-06-30", "edge_security_contact is"),
        ("mailto:a@edge.test", "30 June", "edge_security_expires is '30 June'"),
        ("mailto:a@edge.test", "2027-02-30", "edge_security_expires is '2027-02-30'"),
        ("mailto:a@edge.test", "20270630", "edge_security_expires is '20270630'"),
    ],
)
def test_what_no_reader_could_use_is_refused(contact: str | None, expires: str | None, fault: str) -> None:
    with pytest.raises(Refused, match=fault):
        security_txt.check(edge(contact, expires))
