"""Fixtures: a server of one's own, or one shared by a file's tests."""

import pytest

from server import Server


@pytest.fixture
def server(tmp_path):
    """A fresh server for one test."""
    with Server(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A fresh server for all tests of a file."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running
