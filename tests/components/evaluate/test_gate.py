import numpy as np

from components.evaluate.bootstrap import Interval, Paired, paired
from components.evaluate.gate import Comparison, gate


def against(over: str, low: float, high: float, judged: bool = True) -> Comparison:
    middle = (low + high) / 2
    return Comparison.of(over, Paired(Interval(middle, low, high), None), judged, "" if judged else "it saw the test")


def test_a_candidate_whose_upper_bound_is_below_zero_is_refused() -> None:
    verdict = gate([against("als", -0.02, -0.001)], [])
    assert not verdict.passed
    assert verdict.reasons == ("NDCG@10 -0.0105 [-0.0200, -0.0010] against als: worse beyond doubt.",)


def test_a_candidate_that_may_be_as_good_passes() -> None:
    assert gate([against("als", -0.02, 0.0)], []).passed
    assert gate([against("als", 0.01, 0.02), against("champion", -0.001, 0.001)], []).passed


def test_one_lost_comparison_is_enough() -> None:
    assert not gate([against("als", 0.01, 0.02), against("champion", -0.01, -0.002)], []).passed


def test_a_champion_that_saw_the_test_is_reported_not_judged() -> None:
    verdict = gate([against("als", 0.01, 0.02), against("champion", -0.5, -0.4, judged=False)], [])
    assert verdict.passed
    assert verdict.reasons[1].endswith("reported, not judged (it saw the test).")


def test_a_verdict_of_fewer_than_six_users_is_reported_not_judged() -> None:
    lost = paired(np.zeros(5), np.ones(5), seed=0)
    assert lost is not None
    verdict = gate([Comparison.of("als", lost)], [])
    assert verdict.passed
    assert verdict.reasons[0].endswith("reported, not judged (5 to judge by, fewer than 6: it may be chance).")
    assert verdict.reasons[1] == "Too little to judge by: contract checks only."
    lost = paired(np.zeros(6), np.ones(6), seed=0)
    assert lost is not None
    assert not gate([Comparison.of("als", lost)], []).passed


def test_without_events_and_judgements_only_contracts_are_checked_and_that_is_said() -> None:
    verdict = gate([], [])
    assert verdict.passed
    assert verdict.reasons == ("No events and no judgements to judge by: contract checks only.",)


def test_a_broken_contract_is_refused_even_with_a_gain() -> None:
    verdict = gate([against("als", 0.01, 0.02)], ["scenario search gave no answer"])
    assert not verdict.passed
    assert verdict.reasons[0] == "Contract broken: scenario search gave no answer."
