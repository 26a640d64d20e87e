"""Numbers of a film: shares of the per-frame output, means, the worst."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from colorize_media.training.video_evaluation import BASELINE, TRUTH, FilmScore, summary


def made_film(seed: int = 1) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Luma, steady ab and flickering ab of five frames of a still picture."""
    random = np.random.default_rng(seed)
    luma = cv2.GaussianBlur(random.integers(0, 256, (64, 96)).astype(np.float32), (0, 0), 2.0)
    lumas = [np.clip((luma - 128) * 6 + 128, 0, 255).astype(np.uint8)] * 5
    steady = [random.normal(0, 10, (16, 24, 2)).astype(np.float32)] * 5
    return lumas, steady, [ab + random.normal(0, 6, ab.shape).astype(np.float32) for ab in steady]


def test_shares_are_of_per_frame_output() -> None:
    lumas, steady, flickering = made_film()
    score = FilmScore("film")
    for luma, calm, wild in zip(lumas, steady, flickering, strict=True):
        score.add(luma, {"off": wild, "fast": calm, "best": (calm + wild) / 2}, calm)
    rows = {row["smoothing"]: row for row in score.rows()}
    assert list(rows) == ["off", "fast", "best", TRUTH]
    assert {rows[BASELINE][key] for key in ("warp_share", "colorfulness_share", "error_share")} == {1.0}
    assert rows["fast"]["warp_error"] == rows["fast"]["cdc"] == rows["fast"]["ab_cdc"] == 0.0
    assert rows["fast"]["ab_error"] == 0.0
    assert rows["off"]["ab_error"] == pytest.approx(6.0, rel=0.05)
    # Half of the flicker is a quarter of its square.
    assert rows["best"]["warp_share"] == pytest.approx(0.25, rel=0.02)
    assert rows["best"]["error_share"] == pytest.approx(0.5, rel=0.02)
    assert rows["best"]["colorfulness_share"] < 1.0
    assert rows[TRUTH]["ab_error"] is rows[TRUTH]["error_share"] is None
    assert rows[TRUTH]["warp_share"] == 0.0


def test_without_truth_and_with_one_frame_there_is_less_to_say() -> None:
    lumas, steady, _ = made_film()
    score = FilmScore("film")
    score.add(lumas[0], {"off": steady[0]}, None)
    (row,) = score.rows()
    assert row["ab_error"] is row["warp_error"] is row["cdc"] is row["error_share"] is None
    assert row["colorfulness"] > 0.0


def test_pairs_across_cuts_do_not_count() -> None:
    lumas, steady, _ = made_film()
    score = FilmScore("film")
    for index, luma in enumerate(lumas):
        score.add(luma, {"off": steady[0] + 30 * (index >= 2)}, None, cut=index == 2)
    assert score.rows()[0]["warp_error"] == 0.0


def test_means_and_worst_films() -> None:
    one = {"film": "a", "smoothing": "best", "warp_share": 0.1, "colorfulness_share": 1.0, "error_share": 0.9}
    two = {"film": "b", "smoothing": "best", "warp_share": 0.3, "colorfulness_share": 0.98, "error_share": None}
    mean, worst = summary([one, two, {**one, "smoothing": TRUTH}])
    assert mean["film"] == "mean"
    assert mean["warp_share"] == pytest.approx(0.2)
    assert mean["error_share"] == 0.9
    assert (worst["warp_share"], worst["colorfulness_share"], worst["error_share"]) == (0.3, 0.98, 0.9)
