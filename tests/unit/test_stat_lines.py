# SPDX-License-Identifier: GPL-2.0-or-later
"""When a file looks as if it had not changed, and when it cannot be known."""

import pytest

from toy.filesystem.stat_lines import may_change_unseen

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND + 500_000_000


@pytest.mark.parametrize(
    ("changed", "may"),
    [
        pytest.param(NOW - 10_000_000 + 1, True, id="fine times, 10 ms ago"),
        pytest.param(NOW - 20_000_000 + 1, True, id="fine times, not quite 20 ms ago"),
        pytest.param(NOW - 20_000_001, False, id="fine times, 20 ms ago"),
        pytest.param(NOW - SECOND + 1, False, id="fine times, a second ago"),
        pytest.param(NOW - 500_000_000, True, id="whole seconds, half a second ago"),
        pytest.param(NOW - 1_500_000_000, True, id="whole seconds, a second and a half ago"),
        pytest.param(NOW - 2_500_000_000, False, id="whole seconds, two seconds and a half ago"),
        pytest.param(NOW + SECOND + 1, True, id="a clock that was put back"),
    ],
)
def test_what_changed_just_now_may_change_unseen(changed: int, may: bool) -> None:
    assert may_change_unseen(changed, now=NOW) == may
