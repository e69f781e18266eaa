import pytest

from ..smtp_lab import SmtpLab
from .company import Company, company_on_a_server_of_its_own


@pytest.fixture(scope="session", name="postgres_server")
def _postgres_server():
    with company_on_a_server_of_its_own() as server:
        yield server


@pytest.fixture(name="lab")
def _lab():
    with SmtpLab() as lab:
        yield lab


@pytest.fixture(name="company")
def _company(lab, postgres_server):
    return Company(lab, postgres_server)
