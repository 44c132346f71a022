from collections.abc import Iterator

import pytest
from cluster_servers import Parts, all_parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with all_parts(tmp_path_factory.mktemp) as found:
        yield found
